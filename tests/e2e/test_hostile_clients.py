"""What no client should send: each gets a clear error or an end, nothing is filed of it, and the next client is served."""

import random
import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import STRANGER, dial, imap, inbox, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, running, wait_for
from tests.support.world import World

MB = 1024 * 1024


class Raw:
    """A conversation octet by octet. `line()` is b"" at the end of the connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def line(self) -> bytes:
        try:
            return self._file.readline()
        except ConnectionResetError:
            return b""

    def say(self, data: bytes, *, one_by_one: bool = False) -> None:
        for piece in (data[at : at + 1] for at in range(len(data))) if one_by_one else (data,):
            self.sock.sendall(piece)

    def ask(self, data: bytes) -> bytes:
        """One SMTP command; the last line of its reply."""
        self.say(data)
        while (line := self.line())[3:4] == b"-":
            pass
        return line

    def rest(self) -> list[bytes]:
        """All lines to the end."""
        return list(iter(self.line, b""))

    def close(self) -> None:
        self._file.close()  # a file keeps its socket open
        self.sock.close()

    def secure(self, run: Run) -> "Raw":
        return Raw(tls_context(run).wrap_socket(self.sock, server_hostname=run.name))


@contextmanager
def raw(run: Run, port: str) -> Iterator[Raw]:
    with dial(run, port) as sock:
        talk = Raw(sock)
        if not port.endswith("S"):
            assert talk.line()
        try:
            yield talk
        finally:
            talk.close()


def in_data(talk: Raw, user: Account) -> None:
    assert talk.ask(b"EHLO client.test\r\n").startswith(b"250")
    assert talk.ask(b"MAIL FROM:<a@far.example>\r\n").startswith(b"250")
    assert talk.ask(b"RCPT TO:<" + user.address.encode() + b">\r\n").startswith(b"250")
    assert talk.ask(b"DATA\r\n").startswith(b"354")


def held(run: Run) -> float:
    """Octets of bodies that the gateway has in memory."""
    with urllib.request.urlopen(run.env["POSTRIDER_GATEWAY_URL"] + "/metrics", timeout=patient(10)) as reply:
        found = re.search(rb"^postrider_gateway_body_bytes (\S+)", reply.read(), re.M)
    assert found
    return float(found[1])


def still_served(run: Run, user: Account) -> None:
    """An ordinary message arrives."""
    before = len(inbox(run, user))
    with smtp(run, STRANGER) as client:
        client.sendmail("a@far.example", [user.address], message("a@far.example", user.address))
    wait_for(lambda: len(inbox(run, user)) == before + 1)


# -- SMTP


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "octet by octet"])
@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r.\r", b"\n\n.\r\n"])
def test_no_second_message_is_smuggled(run: Run, ending: bytes, one_by_one: bool) -> None:
    """What others may take for the end of DATA is refused as content; only CRLF "." CRLF ends it (RFC 5321 4.1.1.4)."""
    user = run.mailbox(run.domain())
    smuggled = (
        b"MAIL FROM:<evil@far.example>\r\nRCPT TO:<" + user.address.encode() + b">\r\nDATA\r\nSubject: two\r\n\r\nx"
    )
    with raw(run, "SMTP") as talk:
        in_data(talk, user)
        talk.say(b"Subject: one\r\n\r\nfirst" + ending + smuggled + b"\r\n.\r\n", one_by_one=one_by_one)
        assert talk.line().startswith(b"550 5.5.2")
        assert talk.ask(b"NOOP\r\n").startswith(b"250"), "exactly one reply was given"
    assert inbox(run, user) == []


def test_a_line_end_that_is_none_does_not_make_two_commands(run: Run) -> None:
    with raw(run, "SMTP") as talk:
        assert talk.ask(b"EHLO client.test\r\n").startswith(b"250")
        assert talk.ask(b"NOOP\rMAIL FROM:<>\r\n")[:1] in b"25"
        assert talk.ask(b"RCPT TO:<postmaster>\r\n").startswith(b"503"), "no MAIL was carried out"


def test_lines_verbs_and_junk(run: Run) -> None:
    user = run.mailbox(run.domain())
    with raw(run, "SMTP") as talk:
        assert talk.ask(b"EHLO " + b"x" * 5000 + b"\r\n").startswith(b"500 5.5.2")
        assert talk.ask(b"EHLO client.test\r\n").startswith(b"250")
        assert talk.ask(b"GET / HTTP/1.1\r\n").startswith(b"500 5.5.1")
        assert talk.ask(b"MAIL FROM:<a@far.example> SIZE=many\r\n").startswith(b"501")
        assert talk.ask(b"\xff\xfe\x00\r\n").startswith(b"500")
        assert talk.ask(b"NOOP\r\n").startswith(b"250")
    with raw(run, "SMTP") as talk:
        talk.say(b"EHLO client.test\r\n" + b"NOSUCH\r\n" * 200)
        lines = talk.rest()
        assert lines[-1].startswith(b"421 4.7.0"), "too many errors end the connection"
        assert len(lines) < 60
    still_served(run, user)


COMMANDS = (
    b"EHLO client.test",
    b"HELO client.test",
    b"EHLO",
    b"MAIL FROM:<a@far.example>",
    b"MAIL FROM:<>",
    b"MAIL FROM:<a@far.example> SIZE=1",
    b"MAIL FROM:a b",
    b"RCPT TO:<%s>",
    b"RCPT TO:<nobody@far.example>",
    b"RCPT TO:<@a,@b:c@d>",
    b"RCPT",
    b"RSET",
    b"RSET x",
    b"NOOP",
    b"VRFY x",
    b"EXPN x",
    b"HELP",
    b"AUTH PLAIN AGEAYg==",
    b"AUTH",
    b"STARTTLS now",
    b"DATA x",
    b"ETRN x",
    b"MAIL FROM:<\xc3\xa9@far.example>",
    b"",
    b" ",
    b"\x00",
    b"QUIT x",
    b"BDAT 0 LAST",
    b"rcpt to:<%s>",
    b"TURN",
)


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_commands_gets_one_reply_each(run: Run, seed: int) -> None:
    """Also when they come all at once (RFC 2920); none of them is our fault (451), and the session ends with 421 or not at all."""
    user = run.mailbox(run.domain())
    dice = random.Random(seed)
    said = [word.replace(b"%s", user.address.encode()) for word in dice.choices(COMMANDS, k=40) if word != b"QUIT x"]
    with raw(run, "SMTP") as talk:
        pipelined = seed % 2
        if pipelined:
            talk.say(b"".join(word + b"\r\n" for word in said))
        for word in said:
            reply = talk.ask(b"" if pipelined else word + b"\r\n")
            assert re.fullmatch(rb"[245]\d\d[ ].*\r\n", reply), (word, reply)
            assert not reply.startswith((b"451", b"354")), (word, reply)
            if reply.startswith(b"421"):
                return
        assert talk.ask(b"NOOP\r\n").startswith(b"250")


def test_a_client_that_goes_in_the_middle_leaves_nothing(run: Run) -> None:
    user = run.mailbox(run.domain())
    before = held(run)
    for _ in range(5):
        with raw(run, "SMTP") as talk:
            in_data(talk, user)
            talk.say(b"Subject: half\r\n\r\n" + b"x" * 60 * 1000 + b"\r\n" * 3)
            talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a goodbye
    wait_for(lambda: held(run) == before, 10, "their octets are given back")
    assert inbox(run, user) == []
    still_served(run, user)


def test_a_slow_sender_is_served_and_a_silent_one_is_sent_away(world: World) -> None:
    """RFC 5321 4.5.3.2: the server's time-out is at least 5 minutes by default; here it is two seconds."""
    with running(**world.settings(), SMTP_COMMAND_SECONDS="2", POP3_IDLE_SECONDS="2") as run:
        user = run.mailbox(run.domain())
        with raw(run, "SMTP") as talk:
            talk.say(b"EHLO client.test\r\n", one_by_one=True)
            while talk.line()[3:4] == b"-":
                pass
            in_data(talk, user)
            talk.say(message("a@far.example", user.address) + b".\r\n", one_by_one=True)
            assert talk.line().startswith(b"250 2.0.0 queued")
        wait_for(lambda: len(inbox(run, user)) == 1)
        with raw(run, "SMTP") as talk:
            in_data(talk, user)
            talk.say(b"Subject: and then nothing\r\n")
            assert talk.rest()[-1].startswith(b"421 4.4.2")
        with raw(run, "SMTP") as talk:
            talk.say(b"EH")
            assert talk.rest()[-1].startswith(b"421 4.4.2")
        assert held(run) == 0
        assert len(inbox(run, user)) == 1


# -- STARTTLS with commands sent ahead (CVE-2011-0411); SMTP's is in test_S05


def test_pop3_believes_nothing_sent_ahead_of_the_handshake(run: Run) -> None:
    with raw(run, "POP3") as talk:
        talk.say(b"STLS\r\nUSER injected\r\n")
        assert talk.line().startswith(b"+OK")
        safe = talk.secure(run)
        safe.say(b"PASS x\r\nCAPA\r\n")
        assert safe.line().startswith(b"-ERR"), "no USER was carried out"
        assert safe.line().startswith(b"+OK")


def test_imap_believes_nothing_sent_ahead_of_the_handshake(run: Run) -> None:
    user = run.mailbox(run.domain())
    with raw(run, "IMAP") as talk:
        talk.say(b"a STARTTLS\r\nb LOGIN " + user.address.encode() + b" " + user.password.encode() + b"\r\n")
        assert talk.line().startswith(b"a OK")
        safe = talk.secure(run)
        safe.say(b"c SELECT INBOX\r\n")
        assert safe.line().startswith(b"c BAD"), "no LOGIN was carried out, and nothing answered it"


# -- IMAP and POP3


def logged_in(run: Run, user: Account) -> Raw:
    talk = Raw(dial(run, "IMAPS")).secure(run)
    assert talk.line().startswith(b"* OK")
    talk.say(b"a LOGIN " + user.address.encode() + b" " + user.password.encode() + b"\r\n")
    while not (line := talk.line()).startswith(b"a "):
        assert line.startswith(b"* ")
    assert line.startswith(b"a OK")
    return talk


def test_imap_lines_and_literals_over_the_limit(run: Run) -> None:
    user = run.mailbox(run.domain())
    talk = logged_in(run, user)
    talk.say(b"b APPEND INBOX {4000000000}\r\n")
    assert re.match(rb"b (NO|BAD)", talk.line()), "refused before an octet of it is sent"
    talk.say(b"c APPEND INBOX {4000000000+}\r\nxxxx")
    assert any(line.startswith((b"* BYE", b"c NO", b"c BAD")) for line in talk.rest())
    with raw(run, "IMAP") as early:
        early.say(b"a LOGIN {1000000}\r\n")
        assert not early.line().startswith(b"+")
    with raw(run, "IMAP") as early:
        early.say(b"a " + b"x" * 200_000 + b"\r\n")
        assert early.rest()[-1].startswith((b"* BYE", b"a BAD", b"* BAD"))
    talk = logged_in(run, user)
    talk.say(b"b APPEND INBOX {1000}\r\n")
    assert talk.line().startswith(b"+")
    talk.say(b"x" * 500)
    talk.close()
    assert inbox(run, user) == []
    still_served(run, user)


def test_imap_bad_commands_end_the_connection_at_last(run: Run) -> None:
    with raw(run, "IMAP") as talk:
        talk.say(b"a FETCH\r\n" * 200)
        lines = talk.rest()
        assert lines[0].startswith(b"a BAD")
        assert lines[-1].startswith(b"* BYE")
        assert len(lines) < 60


def test_pop3_lines_and_junk(run: Run) -> None:
    with raw(run, "POP3") as talk:
        talk.say(b"RETR\r\nUSER " + b"x" * 2000 + b"\r\n")
        assert talk.line().startswith(b"-ERR")
        assert talk.line().startswith(b"-ERR")
        talk.say(b"CAPA\r\n")
        assert talk.line().startswith(b"+OK"), "the line was thrown away as a whole"
    with raw(run, "POP3") as talk:
        talk.say(b"NOSUCH\r\n" * 200)
        lines = talk.rest()
        assert all(line.startswith(b"-ERR") for line in lines)
        assert len(lines) < 60


def test_binary_junk_on_every_port_leaves_the_processes_up_and_small(run: Run) -> None:
    user = run.mailbox(run.domain())
    dice = random.Random(25)
    modules = ("smtp_gateway", "pop_imap_frontend")
    processes = {module: run.service(module) for module in modules}
    before = {module: process.memory_info().rss for module, process in processes.items()}
    for _ in range(15):
        for port in ("SMTP", "SMTPS", "SUBMISSION", "POP3", "POP3S", "IMAP", "IMAPS"):
            junk = dice.randbytes(dice.randrange(1, 60_000))
            try:
                with dial(run, port) as sock:
                    sock.sendall(junk)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
            except OSError:
                pass  # the server may be gone first
    for port in ("SMTPS", "IMAPS", "POP3S"):
        with dial(run, port) as sock, tls_context(run).wrap_socket(sock, server_hostname=run.name) as tls:
            tls.recv(1000)
            tls.sendall(dice.randbytes(30_000))
            try:
                while tls.recv(65536):
                    pass
            except (OSError, ssl.SSLError):
                pass
    for module, process in processes.items():
        assert process.is_running()
        grown = process.memory_info().rss - before[module]
        assert grown < 40 * MB, f"{module} grew by {grown / MB:.0f} MB"
    still_served(run, user)
    imap(run, user).logout()
