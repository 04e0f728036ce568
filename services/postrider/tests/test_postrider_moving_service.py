"""`postrider import` against a running service: a vpopmail host and a Maildir move in with all that their clients know."""

import json
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import STRANGER, imap, pop3, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, running, wait_for
from vpopmail.testing import BuiltHost, BuiltMaildir
from vpopmail.vpasswd import Flags

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def service() -> Iterator[Run]:
    with running() as run:
        yield run


def text(n: int) -> bytes:
    return f"From: a@far.test\nSubject: n{n}\n\nMessage {n}.\n".encode()


def base(n: int) -> str:
    return f"{1_000_000_000 + n}.M{n}P1.old,S=50"


def subjects(service: Run, account: Account, folder: str = "INBOX") -> dict[int, str]:
    """Subjects by UID."""
    client = imap(service, account)
    client.select(f'"{folder}"', readonly=True)
    found = {}
    for line in client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(line, tuple):
            found[int(line[0].split()[2])] = line[1].decode().strip().removeprefix("Subject: ")
    client.logout()
    return found


def notes(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_host_moves_in(service: Run, tmp_path: Path) -> None:
    host = BuiltHost(tmp_path / "host")
    site = host.domain("moved.test")
    for name in ("anna", "jo", "gone", "postmaster"):
        home = site.account(name, quota="50M", flags=(Flags.NO_POP | Flags.NO_IMAP | Flags.NO_SMTP) * (name == "gone"))
        maildir = BuiltMaildir(home / "Maildir")
        for n in range(1, 4):
            maildir.message(base(n), text(n), "S" if n < 3 else None)
    maildir = BuiltMaildir(site.folder / "anna" / "Maildir")
    maildir.message(base(9), text(9), "FR", directory=".Work.2009")
    maildir.courier(1_300_000_000, {base(1): 11, base(2): 12, base(3): 40})
    maildir.courier(1_400_000_000, {base(9): 5}, ".Work.2009")
    (maildir.path / "courierimapsubscribed").write_text("INBOX.Work.2009\n")
    host.alias("moved.net", site)
    site.limits({"maxpopaccounts": 2, "maxforwards": 7})  # it has more accounts already: they come, and no others
    site.qmail("sales", "&jo@moved.test\n&x@far.test\n")
    site.qmail("default", "| /home/vpopmail/bin/vdelivermail '' anna@moved.test\n")
    first = service.cli("import", "vpopmail", str(tmp_path / "host"), "--notes", str(tmp_path / "notes"))
    assert first["made"] == {
        "domains": 1,
        "alias_domains": 1,
        "mailboxes": 4,
        "forwards": 1,
        "catchalls": 1,
        "plans": 1,
        "customers": 1,
    }
    customer = service.cli("customer", "show", "moved.test")
    assert service.cli("plan", "show", customer["plan"])["limits"]["mailboxes"] == 2
    assert customer["domain_names"] == ["moved.test"]
    assert first["messages"] == {"imported": 13, "known": 0, "renumbered": 0}, notes(tmp_path / "notes")
    states = {row["address"].partition("@")[0]: row for row in service.cli("mailbox", "ls", "moved.test")}
    assert {name: row["state"] for name, row in states.items()} == {
        "anna": "enabled",
        "jo": "enabled",
        "gone": "disabled",
        "postmaster": "enabled",
    }
    assert {row["quota_limit"] for row in states.values()} == {50 << 20}

    anna = Account("anna@moved.test", PASSWORD)
    assert subjects(service, anna) == {11: "n1", 12: "n2", 40: "n3"}
    assert subjects(service, anna, "Work/2009") == {5: "n9"}
    assert subjects(service, Account("anna@moved.net", PASSWORD)) == subjects(service, anna), "an alias domain"
    client = imap(service, anna)
    assert b"UIDVALIDITY 1400000000" in client.status('"Work/2009"', "(UIDVALIDITY)")[1][0]
    client.select(readonly=True)
    (found,) = client.uid("FETCH", "12", "(FLAGS INTERNALDATE)")[1]
    assert b"\\Seen" in found and b" 9-Sep-2001 01:46:40 +0000" in found
    assert any(b"Work/2009" in line for line in client.lsub()[1])
    client.logout()
    drop = pop3(service, anna)
    assert [line.split()[1].decode() for line in drop.uidl()[1]] == [base(1), base(2), base(3)]
    assert b"\r\n".join(drop.retr(2)[1]) + b"\r\n" == text(2).replace(b"\n", b"\r\n")
    drop.quit()

    with smtp(service, STRANGER) as sender:
        sender.sendmail("", ["unknown@moved.test"], message("b@far.example", "unknown@moved.test", subject="new"))
    wait_for(lambda: "new" in subjects(service, anna).values())
    maildir.message(base(4), text(4), "S")
    maildir.courier(1_300_000_000, {base(1): 11, base(2): 12, base(3): 40, base(4): 41})
    again = service.cli("import", "vpopmail", str(tmp_path / "host"))
    assert (again["made"], again["messages"]) == ({}, {"imported": 1, "known": 13, "renumbered": 0})
    assert list(subjects(service, anna).values()) == ["n1", "n2", "n3", "n4", "new"]
    before = subjects(service, anna)
    assert service.cli("import", "vpopmail", str(tmp_path / "host"))["messages"]["imported"] == 0
    assert subjects(service, anna) == before


def test_an_import_that_is_killed_goes_on(service: Run, tmp_path: Path) -> None:
    user = service.mailbox(service.domain())
    built = BuiltMaildir(tmp_path / "Maildir")
    count = 1500
    for n in range(1, count + 1):
        built.message(base(n), text(n), "S")
    built.courier(77, {base(n): n for n in range(1, count + 1)})
    words = service._cli("import", "maildir", str(built.path), user.address)
    box = service.mailbox_id(user)

    def held() -> int:
        return int(service.api("GET", "mailstore", f"/v1/mailboxes/{box}")["messages"])

    kills = 0
    while kills < 2 and held() < count:
        before = held()
        process = subprocess.Popen(words, env=service.environment(), stdout=subprocess.DEVNULL)
        wait_for(lambda before=before, process=process: held() > before or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    done = service.cli("import", "maildir", str(built.path), user.address)
    assert done["messages"]["imported"] + done["messages"]["known"] == count
    assert subjects(service, user) == {n: f"n{n}" for n in range(1, count + 1)}


def test_odd_messages_and_folders_come_over(service: Run, tmp_path: Path) -> None:
    user = service.mailbox(service.domain())
    built = BuiltMaildir(tmp_path / "Maildir")
    odd = {1: b"", 2: b"Subject: cut", 3: b"Subject: nul\n\na\0b\n", 4: b"Subject: cr\n\na\rb\r\nc\n", 5: b"x" * 70_000}
    for n, data in odd.items():
        built.message(base(n), data, "S")
    for directory in (".INBOX", ".a%b*c", ".&AC8-etc&AC8-passwd", ".Entw&APw-rfe", ".Sent"):
        built.message(base(9), text(9), "S", directory=directory)
    (built.path / "cur" / "link:2,S").symlink_to("/etc/passwd")
    done = service.cli("import", "maildir", str(built.path), user.address)
    assert done["messages"] == {"imported": 10, "known": 0, "renumbered": 0}
    assert [row["reason"] for row in done["changed"]] == ["NULs, which IMAP cannot send, become octets 128"]
    assert [row["examples"] for row in done["unreadable"]] == [["cur/link:2,S"]]
    shown = set(service.api("GET", "mailstore", f"/v1/mailboxes/{service.mailbox_id(user)}")["folders"])
    assert shown >= {"INBOX_", "a%b*c", "_etc_passwd", "Entwürfe", "Sent"}
    client = imap(service, user)
    client.select(readonly=True)
    sizes = [int(line.split()[-1].rstrip(b")")) for line in client.uid("FETCH", "1:*", "(RFC822.SIZE)")[1]]
    assert sizes == [0, 12, 21, 23, 70_000]
    client.logout()


def test_an_mbox_comes_over(service: Run, tmp_path: Path) -> None:
    user = service.mailbox(service.domain())
    file = tmp_path / "mbox"
    first = (
        b"From a@far.test Sun Mar  1 10:00:00 2026\nSubject: one\nStatus: RO\nX-Status: AF\n\n"
        b">From the start\nFrom here on text\n>>From quoted\n\n\n"
    )
    same = b"From a@far.test Sun Mar  1 10:00:00 2026\nSubject: same\n\nx\n\n"
    file.write_bytes(first + 2 * same)
    done = service.cli("import", "mbox", str(file), user.address, "--folder", "Old/2026")
    assert done["messages"] == {"imported": 3, "known": 0, "renumbered": 0}
    file.write_bytes((first + 3 * same).replace(b"Status: RO", b"Status: O"))
    done = service.cli("import", "mbox", str(file), user.address, "--folder", "Old/2026")
    assert done["messages"] == {"imported": 1, "known": 3, "renumbered": 0}
    assert list(subjects(service, user, "Old/2026").values()) == ["one", "same", "same", "same"]
    client = imap(service, user)
    client.select('"Old/2026"', readonly=True)
    (head, text), _ = client.uid("FETCH", "1", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
    assert text == b"Subject: one\r\n\r\nFrom the start\r\nFrom here on text\r\n>From quoted\r\n\r\n"
    assert all(each in head for each in (b"\\Seen", b"\\Answered", b"\\Flagged", b" 1-Mar-2026 10:00:00 +0000"))
    client.logout()


def test_an_export_is_imported_as_the_same_mailbox(service: Run, tmp_path: Path) -> None:
    user, other = (service.mailbox(service.domain()) for _ in range(2))
    built = BuiltMaildir(tmp_path / "old")
    for n in (1, 2, 3):
        built.message(base(n), text(n), "FSa" if n == 2 else "")
    (built.path / "dovecot-keywords").write_text("0 $Label1\n")
    for directory in (".Work.2009", ".R&-D", ".Entw&APw-rfe.a&AC4-b"):
        built.message(base(9), text(9), "R", directory=directory)
    built.dovecot(1_300_000_000, {base(1): 4, base(2): 7, base(3): 9}, uidls={base(2): "old-uidl"})
    service.cli("import", "maildir", str(built.path), user.address)
    service.cli("forward", "add", user.address, "x@far.test", "--keep-copy")

    file = tmp_path / "mailbox.tar"
    done = service.cli("export", user.address, "--output", str(file))
    assert (done["messages"], done["unreadable"], file.stat().st_mode & 0o777) == (6, [], 0o600)
    assert "exists already" in service.cli_process("export", user.address, "-o", str(file)).stderr
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path, filter="data")
    account = json.loads((tmp_path / user.address / "account.json").read_text())
    assert (account["address"], account["forwards"][0]["targets"]) == (user.address, ["x@far.test"])
    maildir = tmp_path / user.address / "Maildir"
    done = service.cli("import", "maildir", str(maildir), other.address)
    assert done["messages"] == {"imported": 6, "known": 0, "renumbered": 0}

    def everything(account: Account) -> dict[str, Any]:
        client = imap(service, account)
        found: dict[str, Any] = {}
        for name in ("INBOX", '"Work/2009"', '"R&-D"', '"Entw&APw-rfe/a.b"', "Sent"):
            validity = client.status(name, "(UIDVALIDITY MESSAGES)")[1] if name != "Sent" else b""
            client.select(name, readonly=True)
            rows = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
            found[name] = validity, repr(rows).replace(" \\\\Recent", "")
        client.logout()
        drop = pop3(service, account)
        found["uidl"] = drop.uidl()[1]
        drop.quit()
        return found

    assert everything(other) == everything(user)
    assert service.cli("import", "maildir", str(maildir), other.address)["messages"]["known"] == 6


def test_what_cannot_be_done_is_one_sentence(service: Run, tmp_path: Path) -> None:
    user = service.mailbox(service.domain())

    def refused(*words: str) -> Any:
        done = service.cli_process("import", *words)
        assert done.returncode in (1, 2) and done.stdout == "" and done.stderr.count("\n") == 1, done
        return done.stderr

    assert "is no Maildir" in refused("maildir", str(tmp_path), user.address)
    (tmp_path / "text").write_text("no mbox\n")
    assert "is no mbox" in refused("mbox", str(tmp_path / "text"), user.address)
    assert "cannot be read" in refused("mbox", str(tmp_path), user.address)
    assert "does not exist" in refused("maildir", str(tmp_path / "x"), user.address)
    assert "nobody@" in refused("maildir", str(tmp_path), "nobody@nowhere.test")
    assert "variables" in refused("maildir", str(tmp_path), user.address, "--uidl-format", "%m")
    assert "holds no vpopmail" in refused("vpopmail", str(tmp_path))
