"""Whatever a server announces, the command of its RFC is not answered BAD, 5xx "unknown" or -ERR: clients believe it and loop.

The tables name every capability; one that is announced and not in its table fails the test.
"""

import base64
import socket
from collections.abc import Iterable

import pytest

from tests.support.clients import STRANGER, dial, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for


class Talk:
    """A conversation in lines."""

    def __init__(self, run: Run, port: str) -> None:
        self.run = run
        self._sock: socket.socket = dial(run, port, seconds=60)
        self._file = self._sock.makefile("rb")
        if port.endswith("S"):
            self.secure()

    def secure(self) -> None:
        self._file.close()
        self._sock = tls_context(self.run).wrap_socket(self._sock, server_hostname=self.run.name)
        self._file = self._sock.makefile("rb")

    def line(self) -> str:
        found = self._file.readline().decode()
        assert found, "the connection ended"
        return found.removesuffix("\r\n")

    def say(self, text: str) -> None:
        self._sock.sendall(text.encode() + b"\r\n")

    def close(self) -> None:
        self._file.close()
        self._sock.close()


def plain(account: Account, password: str | None = None) -> str:
    return base64.b64encode(f"\0{account.address}\0{password or account.password}".encode()).decode()


def by_login(account: Account) -> str:
    return "\r\n".join(base64.b64encode(text.encode()).decode() for text in (account.address, account.password))


@pytest.fixture
def account(run: Run) -> Account:
    made = run.mailbox(run.domain())
    with smtp(run, STRANGER) as client:
        client.sendmail("", [made.address], message("Anna <a@far.example>", made.address))
    return made


# -- IMAP

#: Commands by capability; `$` is the account's response for PLAIN, `~` its two responses for LOGIN.
#: LOGIN is refused with NO where it is disabled.
IMAP_BEFORE_LOGIN = {
    "IMAP4rev1": ["CAPABILITY", "NOOP"],
    "IMAP4rev2": ["CAPABILITY"],
    "LITERAL+": ["LOGIN {4+}\r\nnone {4+}\r\nnone"],
    "SASL-IR": ["AUTHENTICATE PLAIN $"],
    "ID": ['ID ("name" "test")', "ID NIL"],
    "IDLE": [],  # allowed after login
    "STARTTLS": ["STARTTLS"],
    "LOGINDISABLED": ["LOGIN none none"],
    "AUTH=PLAIN": ["AUTHENTICATE PLAIN $"],
    "AUTH=LOGIN": ["AUTHENTICATE LOGIN ~"],
}
IMAP_AFTER_LOGIN = {
    "IMAP4rev1": ["SELECT INBOX", "FETCH 1 (FLAGS BODYSTRUCTURE)", "SEARCH ALL", "STATUS INBOX (MESSAGES)"],
    "IMAP4rev2": [
        "ENABLE IMAP4rev2",
        "SELECT INBOX",
        "FETCH 1 (FLAGS BODYSTRUCTURE BINARY.SIZE[1])",
        "SEARCH CHARSET UTF-8 ALL",
        "STATUS INBOX (MESSAGES DELETED SIZE)",
    ],
    "LITERAL+": ["CREATE {4+}\r\nLitP"],
    "SASL-IR": [],
    "ID": ["ID NIL"],
    "IDLE": ["IDLE"],
    "ENABLE": ["ENABLE CONDSTORE"],
    "CONDSTORE": [
        "SELECT INBOX (CONDSTORE)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
        "SEARCH MODSEQ 1",
        "STATUS INBOX (HIGHESTMODSEQ)",
    ],
    "UNAUTHENTICATE": ["SELECT INBOX", "UNAUTHENTICATE", "AUTHENTICATE PLAIN $"],
    "OBJECTID": [
        "STATUS INBOX (MAILBOXID)",
        "SELECT Sent",
        "FETCH 1 (EMAILID THREADID)",
        "SEARCH EMAILID M1 THREADID T1",
    ],
    "SAVEDATE": ["SELECT Sent", "FETCH 1 (SAVEDATE)", "SEARCH SAVEDSINCE 1-Jan-2026 SAVEDATESUPPORTED"],
    "INPROGRESS": ["SELECT Sent", "SEARCH TEXT x"],
    "NOTIFY": ["NOTIFY SET STATUS (personal (MessageNew MessageExpunge MailboxName))", "NOTIFY NONE"],
    "METADATA": ['SETMETADATA Sent (/private/comment "x")', "GETMETADATA Sent (/private/comment)"],
    "PREVIEW": ["SELECT Sent", "FETCH 1 (PREVIEW)", "FETCH 1 (PREVIEW (LAZY))"],
    "QRESYNC": [
        "ENABLE QRESYNC",
        "SELECT INBOX (QRESYNC (1 1 1:9 (1 1)))",
        "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
    ],
    "NAMESPACE": ["NAMESPACE"],
    "CHILDREN": ['LIST "" "%"'],
    "UIDPLUS": ["SELECT INBOX", "UID EXPUNGE 1", "UID COPY 1 Sent"],
    "UNSELECT": ["SELECT INBOX", "UNSELECT"],
    "SPECIAL-USE": ['LIST (SPECIAL-USE) "" "*"', 'LIST "" "*" RETURN (SPECIAL-USE)'],
    "CREATE-SPECIAL-USE": ["CREATE Archives (USE (\\Archive))"],
    "LIST-EXTENDED": [
        'LIST (SUBSCRIBED REMOTE) "" ("INBOX" "*") RETURN (CHILDREN)',
        'LIST (SUBSCRIBED RECURSIVEMATCH) "" "*"',
        'LIST () "" () RETURN ()',
    ],
    "LIST-STATUS": ['LIST "" ("INBOX" "*") RETURN (SPECIAL-USE SUBSCRIBED CHILDREN STATUS (MESSAGES UNSEEN))'],
    "ESEARCH": ["SELECT INBOX", "SEARCH RETURN (MIN MAX ALL COUNT) ALL", "UID SEARCH RETURN () ALL"],
    "SEARCHRES": ["SELECT INBOX", "SEARCH RETURN (SAVE) ALL", "FETCH $ UID", "UID SEARCH UID $"],
    "WITHIN": ["SELECT INBOX", "SEARCH OLDER 10 YOUNGER 10"],
    "PARTIAL": ["SELECT INBOX", "SEARCH RETURN (PARTIAL -1:-5) ALL", "UID FETCH 1:* FLAGS (PARTIAL 1:5)"],
    "SORT": [
        "SELECT INBOX",
        "SORT (REVERSE DATE SUBJECT FROM TO CC SIZE ARRIVAL) UTF-8 ALL",
        "UID SORT (DATE) UTF-8 ALL",
    ],
    "SORT=DISPLAY": ["SELECT INBOX", "SORT (DISPLAYFROM DISPLAYTO) UTF-8 ALL"],
    "ESORT": ["SELECT INBOX", "UID SORT RETURN (ALL COUNT) (DATE) UTF-8 ALL"],
    "THREAD=ORDEREDSUBJECT": ["SELECT INBOX", "THREAD ORDEREDSUBJECT UTF-8 ALL"],
    "THREAD=REFERENCES": ["SELECT INBOX", "UID THREAD REFERENCES UTF-8 ALL"],
    "STATUS=SIZE": ["STATUS INBOX (SIZE)", 'LIST "" "*" RETURN (STATUS (SIZE))'],
    "QUOTA": ['GETQUOTA ""', "GETQUOTAROOT INBOX", 'SETQUOTA "" ()'],
    "QUOTA=RES-STORAGE": ["GETQUOTAROOT INBOX", "STATUS INBOX (DELETED-STORAGE)"],
    "QUOTA=RES-MESSAGE": ["GETQUOTAROOT INBOX", "STATUS INBOX (DELETED)"],
    "COMPRESS=DEFLATE": ["COMPRESS DEFLATE"],
    "MOVE": ["SELECT INBOX", "MOVE 1 Sent", "UID MOVE 1 Sent"],
    "MULTIAPPEND": ["APPEND Drafts {3+}\r\nabc (\\Seen) {3+}\r\nabc"],
    "REPLACE": ["SELECT Drafts", "REPLACE * Drafts {3+}\r\nabc", "UID REPLACE 1 Drafts {3+}\r\nabc"],
    "BINARY": ["SELECT INBOX", "FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1]<0.9>)", "APPEND Drafts ~{3+}\r\nabc"],
    "UTF8=ACCEPT": ["ENABLE UTF8=ACCEPT", 'CREATE "Entwürfe"', 'SELECT "Entwürfe"', 'SEARCH SUBJECT "ü"'],
    "APPENDLIMIT": ["APPEND INBOX {3+}\r\nabc"],
}


def imap_answer(talk: Talk, command: str) -> str:
    """The tagged answer; IDLE is ended, STARTTLS carried out."""
    talk.say(f"t {command}")
    while not (line := talk.line()).startswith("t "):
        if command == "IDLE" and line.startswith("+"):
            talk.say("DONE")
    if command == "STARTTLS":
        talk.secure()
    return line[2:]


def imap_capabilities(talk: Talk) -> list[str]:
    talk.say("c CAPABILITY")
    names: list[str] = []
    while not (line := talk.line()).startswith("c "):
        if line.startswith("* CAPABILITY "):
            names = line.split()[2:]
    return [name.partition("=")[0] if name.startswith("APPENDLIMIT=") else name for name in names]


@pytest.mark.parametrize("port", ["IMAP", "IMAPS"])
def test_imap(run: Run, account: Account, port: str) -> None:
    def exercise(names: Iterable[str], table: dict[str, list[str]], *, tls: bool, login: bool) -> None:
        for name in names:
            assert name in table, f"{name} is announced and has no command here"
            talk = Talk(run, port)
            assert talk.line().startswith("* OK")
            if tls:
                assert imap_answer(talk, "STARTTLS").startswith("OK")
            if login:
                assert imap_answer(talk, f"AUTHENTICATE PLAIN {plain(account)}").startswith("OK")
            for command in table[name]:
                if command.startswith("AUTHENTICATE"):
                    command = command.replace("$", plain(account)).replace("~", by_login(account))
                answer = imap_answer(talk, command)
                assert not answer.startswith("BAD"), (name, command, answer)
                assert "SERVERBUG" not in answer, (name, command, answer)
            talk.close()

    first = Talk(run, port)
    assert first.line().startswith("* OK")
    exercise(imap_capabilities(first), IMAP_BEFORE_LOGIN, tls=False, login=False)
    if port == "IMAP":
        assert imap_answer(first, "STARTTLS").startswith("OK")
        exercise(imap_capabilities(first), IMAP_BEFORE_LOGIN, tls=True, login=False)
    assert imap_answer(first, f"AUTHENTICATE PLAIN {plain(account)}").startswith("OK")

    def delivered() -> bool:
        talk_answer = imap_answer(first, "SELECT INBOX")
        return talk_answer.startswith("OK") and imap_answer(first, "FETCH 1 UID").startswith("OK")

    wait_for(delivered)
    exercise(imap_capabilities(first), IMAP_AFTER_LOGIN, tls=port == "IMAP", login=True)
    first.close()


# -- POP3

#: Lines and the beginnings of their answers, of an empty mailbox; `$` and `~` as above, `!` is a wrong response.
POP3 = {
    "TOP": [("AUTH PLAIN $", "+OK"), ("TOP 1 0", "-ERR no such message")],
    "UIDL": [("AUTH PLAIN $", "+OK"), ("UIDL", "+OK")],
    "RESP-CODES": [("AUTH PLAIN !", "-ERR [")],
    "AUTH-RESP-CODE": [("AUTH PLAIN !", "-ERR [AUTH]")],
    "PIPELINING": [("NOOP\r\nCAPA", "-ERR"), ("", "+OK")],
    "EXPIRE": [],
    "LOGIN-DELAY": [],
    "USER": [("USER nobody%nowhere.test", "+OK")],
    "SASL": [("AUTH PLAIN !", "-ERR"), ("AUTH LOGIN ~", "+ "), ("", "+OK")],
    "STLS": [("STLS", "+OK")],
    "UTF8": [("UTF8", "+OK")],
    "LANG": [("LANG", "+OK"), ("LANG *", "en "), ("", "."), ("", "+OK en ")],
    "IMPLEMENTATION": [],
}


def pop3_capabilities(talk: Talk) -> list[str]:
    talk.say("CAPA")
    assert talk.line().startswith("+OK")
    return [line.split()[0] for line in iter(talk.line, ".")]


@pytest.mark.parametrize("port", ["POP3", "POP3S"])
def test_pop3(run: Run, port: str) -> None:
    talk = Talk(run, port)
    assert talk.line().startswith("+OK")
    names = {False: pop3_capabilities(talk)}
    if port == "POP3":
        talk.say("STLS")
        assert talk.line().startswith("+OK")
        talk.secure()
        names[True] = pop3_capabilities(talk)
    talk.close()
    domain = run.domain()
    for tls, announced in names.items():
        for at, name in enumerate(announced):
            assert name in POP3, f"{name} is announced and has no command here"
            account = run.mailbox(domain, f"u{at}{int(tls)}")  # one login each: P4's minute
            talk = Talk(run, port)
            assert talk.line().startswith("+OK")
            needs_tls = any("AUTH " in line for line, _ in POP3[name])
            if port == "POP3" and (tls or needs_tls):
                talk.say("STLS")
                assert talk.line().startswith("+OK")
                talk.secure()
            for line, beginning in POP3[name]:
                if line:
                    filled = line.replace("$", plain(account)).replace("!", plain(account, "wrong"))
                    talk.say(filled.replace("~", by_login(account)))
                answer = talk.line()
                assert answer.startswith(beginning), (name, line, answer)
            talk.close()


# -- SMTP

SMTP = {
    "PIPELINING": ["MAIL FROM:<>\r\nRSET\r\nNOOP"],
    "SIZE": ["MAIL FROM:<> SIZE=1000"],
    "8BITMIME": ["MAIL FROM:<> BODY=8BITMIME"],
    "SMTPUTF8": ["MAIL FROM:<zoë@far.example> SMTPUTF8"],
    "ENHANCEDSTATUSCODES": ["NOOP"],
    "CHUNKING": ["BDAT x"],  # 521: no size
    "LIMITS": ["NOOP"],
    "DSN": ["MAIL FROM:<> RET=HDRS ENVID=x"],
    "REQUIRETLS": ["MAIL FROM:<> REQUIRETLS"],
    "STARTTLS": ["STARTTLS"],
    "AUTH": ["AUTH PLAIN $", "AUTH LOGIN ~"],
    "HELP": ["HELP"],
}


def smtp_reply(talk: Talk) -> list[str]:
    lines = [talk.line()]
    while lines[-1][3:4] == "-":
        lines.append(talk.line())
    return lines


def ehlo(talk: Talk) -> list[str]:
    talk.say("EHLO client.test")
    first, *rest = smtp_reply(talk)
    assert first.startswith("250"), first
    return [line[4:].split()[0] for line in rest]


@pytest.mark.parametrize("port", ["SMTP", "SUBMISSION", "SMTPS"])
def test_smtp(run: Run, account: Account, port: str) -> None:
    def opened(*, tls: bool) -> tuple[Talk, list[str]]:
        talk = Talk(run, port)
        assert smtp_reply(talk)[0].startswith("220")
        names = ehlo(talk)
        if tls:
            talk.say("STARTTLS")
            assert smtp_reply(talk)[0].startswith("220")
            talk.secure()
            names = ehlo(talk)
        return talk, names

    for tls in (False,) if port == "SMTPS" else (False, True):
        talk, names = opened(tls=tls)
        talk.close()
        for name in names:
            assert name in SMTP, f"{name} is announced and has no command here"
            for command in SMTP[name]:
                talk, _ = opened(tls=tls)
                talk.say(command.replace("$", plain(account)).replace("~", by_login(account)))
                for _line in command.split("\r\n") if "~" not in command else ("user", "password"):
                    reply = smtp_reply(talk)[-1]
                    # 500 to 504 and 555: the command or its parameter is not known (RFC 5321 4.2.2)
                    assert reply[:3] not in ("500", "501", "502", "503", "504", "555"), (name, command, reply)
                talk.close()
