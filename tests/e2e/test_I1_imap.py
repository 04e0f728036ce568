"""I1, I2: same logins as POP3; the whole of what an IMAP client does; sessions see each other's changes."""

import imaplib
import select as select_module
import time

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, Imap, imap, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for


@pytest.fixture
def user(run: Run) -> Account:
    """A mailbox with three messages."""
    account = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        for number in range(3):
            client.sendmail(
                "", [account.address], message("Anna <a@far.example>", account.address, subject=f"m{number}")
            )
    session = imap(run, account)
    wait_for(lambda: session.select("INBOX")[1] == [b"3"])
    session.logout()
    return account


def ok(answer: tuple[str, list[object]]) -> list[object]:
    assert answer[0] == "OK", answer
    return answer[1]


@pytest.mark.parametrize("form", ["user%{}", "user@{}"])
def test_I1_same_logins(run: Run, form: str) -> None:
    account = run.mailbox(run.domain())
    imap(run, account, login=form.format(account.domain)).logout()


def test_logins_need_tls(run: Run) -> None:
    account = run.mailbox(run.domain())
    client = Imap(run)
    assert "LOGINDISABLED" in client.capabilities
    assert "AUTH=PLAIN" not in client.capabilities
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        client.login(account.address, account.password)


def test_authenticate_plain(run: Run) -> None:
    account = run.mailbox(run.domain())
    client = Imap(run)
    from tests.support.clients import tls_context

    client.starttls(tls_context(run))
    ok(client.authenticate("PLAIN", lambda _: f"\0{account.login}\0{account.password}".encode()))
    client.logout()


def test_fetch_items(run: Run, user: Account) -> None:
    client = imap(run, user)
    text = b" ".join(
        p if isinstance(p, bytes) else b" ".join(p)
        for p in ok(client.fetch("1", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))
    )  # type: ignore[arg-type]
    assert b'ENVELOPE ("Mon, 23 Nov 2026 11:20:00 +0000" "m' in text
    assert b'(("Anna" NIL "a" "far.example"))' in text
    assert b'BODYSTRUCTURE ("text" "plain" ("charset" "utf-8") NIL NIL "8bit"' in text
    whole = ok(client.fetch("1", "(BODY.PEEK[])"))[0][1]  # type: ignore[index]
    size = int(text.split(b"RFC822.SIZE ")[1].split(b" ")[0].rstrip(b")"))
    assert len(whole) == size
    header = ok(client.fetch("1", "(BODY.PEEK[HEADER])"))[0][1]  # type: ignore[index]
    body = ok(client.fetch("1", "(BODY.PEEK[TEXT])"))[0][1]  # type: ignore[index]
    assert header + body == whole
    some = ok(client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])"))[0][1]  # type: ignore[index]
    assert some.startswith(b"From: Anna <a@far.example>\r\nSubject: m")
    assert some.endswith(b"\r\n\r\n")
    part = ok(client.fetch("1", "(BODY.PEEK[]<5.10>)"))[0][1]  # type: ignore[index]
    assert part == whole[5:15]
    assert ok(client.fetch("1", "(BODY.PEEK[1])"))[0][1] == body  # type: ignore[index]
    assert b"\\Seen" not in ok(client.fetch("1", "(FLAGS)"))[0]  # type: ignore[operator]
    ok(client.fetch("1", "(RFC822)"))
    assert b"\\Seen" in ok(client.fetch("1", "(FLAGS)"))[0]  # type: ignore[operator]
    client.logout()


def test_flags_keywords_copy_move_expunge(run: Run, user: Account) -> None:
    client = imap(run, user)
    ok(client.store("1", "+FLAGS", "(\\Flagged important)"))
    flags = ok(client.fetch("1", "(FLAGS)"))[0]
    assert b"\\Flagged" in flags  # type: ignore[operator]
    assert b"important" in flags  # type: ignore[operator]
    ok(client.store("1", "FLAGS.SILENT", "()"))
    ok(client.create("Archive/2026"))
    assert b"[COPYUID " in ok(client.copy("1:2", "Archive/2026"))[0]  # type: ignore[operator]
    status, data = client.uid("MOVE", "1", "Archive/2026")
    assert status == "OK", data
    assert ok(client.select("Archive/2026")) == [b"3"]
    ok(client.store("2", "+FLAGS", "\\Deleted"))
    assert ok(client.expunge()) == [b"2"]
    assert ok(client.select("INBOX")) == [b"2"]
    status, _ = client.copy("1", "Nowhere")
    assert status == "NO"
    client.logout()


def test_folders(run: Run, user: Account) -> None:
    client = imap(run, user)
    names = b"\n".join(ok(client.list()))  # type: ignore[arg-type]
    for special in (b"\\Drafts", b"\\Sent", b"\\Junk", b"\\Trash", b"\\Archive"):
        assert special in names
    ok(client.create("Work"))
    assert client.create("Work")[0] == "NO"
    ok(client.subscribe("Work"))
    assert b"Work" in b"".join(ok(client.lsub()))  # type: ignore[arg-type]
    ok(client.rename("Work", '"Arbeit &- &AOQ-"'))
    assert b"&AOQ-" in b"\n".join(ok(client.list()))  # type: ignore[arg-type]
    ok(client.delete('"Arbeit &- &AOQ-"'))
    assert client.delete("INBOX")[0] == "NO"
    answer = ok(client.status("INBOX", "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)"))[0]
    assert b"MESSAGES 3" in answer  # type: ignore[operator]
    assert b"UNSEEN 3" in answer  # type: ignore[operator]
    assert client.namespace()[1] == [b'(("" "/")) NIL NIL']
    client.logout()


def test_append_and_search(run: Run, user: Account) -> None:
    client = imap(run, user)
    special = message(
        "Zoë <z@far.example>", user.address, subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=", body="Das ist Text.\r\n"
    )
    status, data = client.append("INBOX", "(\\Seen)", imaplib.Time2Internaldate(time.time() - 5 * 86400), special)
    assert status == "OK"
    assert b"APPENDUID" in data[0]

    def search(*keys: str) -> list[int]:
        return [int(n) for n in ok(client.search(None, *keys))[0].split()]  # type: ignore[attr-defined]

    ok(client.noop())
    assert search("ALL") == [1, 2, 3, 4]
    assert search("SEEN") == [4]
    assert search("UNSEEN", "SUBJECT", "m1") and len(search("UNSEEN", "SUBJECT", '"M1"')) == 1
    assert search("FROM", "far.example") == [1, 2, 3, 4]
    client.literal = "grüße".encode()
    assert ok(client.search("UTF-8", "SUBJECT"))[0].split() == [b"4"]  # type: ignore[attr-defined]
    assert search("BODY", "Text.") == [4]
    assert search("TEXT", "..two") == [1, 2, 3]
    assert search("NOT", "BODY", "Text.") == [1, 2, 3]
    assert search("OR", "1", "SEEN") == [1, 4]
    assert search("BEFORE", time.strftime("%d-%b-%Y", time.gmtime(time.time() - 2 * 86400))) == [4]
    assert search("SENTON", "23-Nov-2026") == [1, 2, 3, 4]
    assert search("LARGER", "10") == [1, 2, 3, 4]
    assert search("SMALLER", "10") == []
    assert search("HEADER", "Content-Type", "utf-8") == [1, 2, 3, 4]
    assert search("UID", "2:3") == [2, 3]
    client.logout()


def test_two_sessions_see_each_other(run: Run, user: Account) -> None:
    one, two = imap(run, user), imap(run, user)
    ok(one.store("1", "+FLAGS", "\\Answered"))

    def told(session: Imap, kind: str) -> bool:
        session.noop()
        return bool(session.untagged_responses.get(kind))

    wait_for(lambda: told(two, "FETCH"), 5)
    ok(one.store("2", "+FLAGS", "\\Deleted"))
    ok(one.expunge())
    wait_for(lambda: told(two, "EXPUNGE"), 5)
    assert [int(n) for n in ok(two.search(None, "ALL"))[0].split()] == [1, 2]  # type: ignore[attr-defined]
    one.logout()
    two.logout()


def test_idle_is_told_of_new_mail(run: Run, user: Account) -> None:
    client = imap(run, user)
    client.send(b"x1 IDLE\r\n")
    assert client.readline().startswith(b"+")
    with smtp(run, STRANGER) as sender:
        sender.sendmail("", [user.address], message("b@far.example", user.address))
    end = time.monotonic() + patient(10)
    line = b""
    while b"4 EXISTS" not in line and time.monotonic() < end:
        ready, _, _ = select_module.select([client.sock], [], [], 1)
        pending = getattr(client.sock, "pending", lambda: 0)()
        if ready or pending:
            line = client.readline()
    assert b"4 EXISTS" in line
    client.send(b"DONE\r\n")
    while not line.startswith(b"x1 "):
        line = client.readline()
    assert line.startswith(b"x1 OK")
    client.logout()


def test_I2_a_login_gives_a_grant(run: Run, user: Account) -> None:
    imap(run, user, "127.0.0.51").logout()
    assert {run.source("127.0.0.51")} <= {
        grant["address"] for grant in run.cli("grant", "ls") if grant["mailbox"] == user.address
    }


def test_a_line_too_long_inside_a_command_ends_the_connection(run: Run, user: Account) -> None:
    """It is the client's fault and said so; an internal error it is not."""
    client = imap(run, user)
    client.send(b"x IDLE\r\n")
    assert client.readline().startswith(b"+")
    client.send(b"D" * 5000 + b"\r\n")
    assert client.readline().startswith(b"x BAD")
    assert client.readline().startswith(b"* BYE")
