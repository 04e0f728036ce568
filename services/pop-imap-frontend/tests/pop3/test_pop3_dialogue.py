"""POP3 conversations line by line over real sockets, the services it calls scripted: what is said in every state, and to whom.

The same conversations with the real auth and mailstore are tests/e2e/test_P*.py.
"""

import asyncio
import base64
import contextlib
import itertools
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
import trustme
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from auth_api.fake import FakeAuth
from mailkit.errors import BadRequest, Conflict, InternalError, OverLimit, TooLarge, Unanswered, Unavailable, Unproven
from mailkit.net.listener import Peer
from mailkit.net.stream import Stream
from mailkit.net.tarpit import Tarpit
from mailkit.rpc.batch import Batcher
from mailkit.testing.speed import patient
from mailstore_api.fake import FakeMaildrop
from pop_imap_frontend.conversation.logins import Logins
from pop_imap_frontend.conversation.watch import Watch
from pop_imap_frontend.pop3.context import Pop3Context
from pop_imap_frontend.pop3.leases import MaildropLeases
from pop_imap_frontend.pop3.octets import Stuffing, stuffed
from pop_imap_frontend.pop3.registry import VERBS
from pop_imap_frontend.pop3.session import Pop3Session

CA = trustme.CA()
CLIENT = "192.0.2.7"
TWO = {11: b"Subject: one\r\n\r\n.dot\r\nline\r\n", 12: b"Subject: two\r\n\r\nno end of line"}


class World:
    """A POP3 service with the services it calls in memory."""

    def __init__(self, **options: Any) -> None:
        self.auth = FakeAuth()
        self.mailbox = self.auth.add_mailbox("user@site.example", " pass word ")
        self.store = FakeMaildrop(dict(TWO))
        self.sessions: list[Pop3Session] = []
        self.leases = MaildropLeases(self.store)  # type: ignore[arg-type]
        self.watch = Watch(self.store, self.auth)  # type: ignore[arg-type]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("localhost").configure_cert(context)
        chosen: dict[str, Any] = {"plaintext_logins": True, "idle_seconds": 600.0, "login_delay": 60}
        self.implicit_tls = options.pop("implicit_tls", False)
        self.context = Pop3Context(
            mailstore=self.store,  # type: ignore[arg-type]
            logins=Logins(Batcher(self.auth.logins), self.auth.undo_checks, options.pop("tarpit", Tarpit(1, 1))),
            leases=self.leases,
            tls=lambda _listener: context,
            name="mail.example",
            watch=self.watch,
            **(chosen | options),
        )

    async def listen(self) -> asyncio.Server:
        def make() -> Stream:
            async def talk(stream: Stream) -> None:
                session = Pop3Session(stream, Peer(CLIENT, 1, "pop3", self.implicit_tls), self.context, VERBS)
                self.sessions.append(session)
                await session.run()

            return Stream(talk)

        return await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)


class Client:
    """`await say("STAT", "+OK 2 65")`: each expected line is a beginning; "" is the end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self, *expected: str) -> None:
        for line in expected:
            got = (await asyncio.wait_for(self.reader.readline(), patient(12))).decode()
            if line:
                assert got.endswith("\r\n"), got
                assert got.startswith(line), f"{got!r} instead of {line!r}"
            else:
                assert got == ""

    async def say(self, line: str, *expected: str) -> None:
        self.writer.write(line.encode() + b"\r\n")
        await self.hear(*expected)

    async def log_in(self) -> None:
        await self.say("USER user%site.example", "+OK")
        await self.say("PASS  pass word ", "+OK")


def dialogue(talk: Callable[[World, Client], Awaitable[None]], **options: Any) -> World:
    """Run `talk` with a fresh world and one greeted client."""

    async def run() -> World:
        world = World(**options)
        server = await world.listen()
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1 << 20)
        client = Client(reader, writer)
        await client.hear("+OK mail.example POP3 ready")
        try:
            await asyncio.wait_for(talk(world, client), patient(30))
        finally:
            writer.close()
            server.close()
        for session in world.sessions:
            assert session.stream.task is not None
            await asyncio.wait_for(session.stream.task, patient(12))
        return world

    return uvloop.run(run())


def script(text: str, **options: Any) -> World:
    """Lines `C: …` are said, `S: …` are expected (a beginning); `S: (empty)` is an
    empty line, `S:` alone the end of the connection."""

    async def talk(world: World, client: Client) -> None:
        for line in text.split("\n"):
            who, what = line[:1], line[3:].replace("(empty)", "\r\n")
            if who == "C":
                client.writer.write(what.encode() + b"\r\n")
            else:
                await client.hear(what)

    return dialogue(talk, **options)


LOGIN = "C: USER user%site.example\nS: +OK\nC: PASS  pass word \nS: +OK 2 messages\n"


def test_a_whole_session() -> None:
    world = script(LOGIN + "\n".join([
        "C: STAT", "S: +OK 2 60",
        "C: LIST", "S: +OK 2", "S: 1 28", "S: 2 32", "S: .",
        "C: LIST 2", "S: +OK 2 32", "C: LIST 3", "S: -ERR no such message",
        "C: UIDL", "S: +OK 2", "S: 1 7.11", "S: 2 7.12", "S: .", "C: UIDL 1", "S: +OK 1 7.11",
        "C: RETR 1", "S: +OK 28 octets", "S: Subject: one", "S: (empty)", "S: ..dot", "S: line", "S: .",
        "C: RETR 2", "S: +OK 32 octets", "S: Subject: two", "S: (empty)", "S: no end of line", "S: .",
        "C: TOP 1 1", "S: +OK", "S: Subject: one", "S: (empty)", "S: ..dot", "S: .",
        "C: TOP 1 0", "S: +OK", "S: Subject: one", "S: (empty)", "S: .",
        "C: DELE 1", "S: +OK", "C: DELE 1", "S: -ERR that message is marked", "C: RETR 1", "S: -ERR",
        "C: STAT", "S: +OK 1 32", "C: LIST", "S: +OK 1", "S: 2 32", "S: .",
        "C: RSET", "S: +OK", "C: STAT", "S: +OK 2 60", "C: DELE 2", "S: +OK", "C: NOOP", "S: +OK",
        "C: QUIT", "S: +OK", "S:",
    ]))  # fmt: skip
    assert list(world.store.messages) == [11]
    assert world.store.holder is None
    assert [address for address, _ in world.auth.grants] == [CLIENT], "the login opened the hour for its address (S2)"


def test_pipelined_in_one_packet() -> None:
    async def talk(world: World, client: Client) -> None:
        client.writer.write(b"USER user@site.example\r\nPASS  pass word \r\nSTAT\r\nDELE 1\r\nQUIT\r\n")
        await client.hear("+OK", "+OK", "+OK 2 60", "+OK", "+OK", "")

    assert list(dialogue(talk).store.messages) == [12]


@pytest.mark.parametrize("end", ["cut", "idle", "account", "lease", "drain"])
def test_without_quit_nothing_is_removed_and_the_lock_is_freed(end: str) -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        session = world.sessions[0]
        if end == "cut":
            client.writer.transport.abort()
        elif end == "idle":
            await client.hear("")
        elif end == "account":
            world.mailbox.credential_version += 1
            await world.watch.recheck()
            await client.hear("-ERR [SYS/TEMP] the account was changed", "")
        elif end == "lease":
            world.store.holder = UUID(int=5)
            await world.leases.renew()
            await client.hear("-ERR [SYS/TEMP] the maildrop's lock was lost", "")
            world.store.holder = None
        else:
            await session.end_with_jitter(0.01)
            await client.hear("-ERR [SYS/TEMP] server is going down", "")

    world = dialogue(talk, idle_seconds=0.3 if end == "idle" else 600)
    assert list(world.store.messages) == [11, 12]
    assert world.store.holder is None


@pytest.mark.parametrize("away", [1, 3, 4])
def test_a_lock_that_mailstore_could_not_take_back_is_tried_again(away: int) -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        world.store.trouble["close"] = [Unavailable("away")] * away
        client.writer.close()
        async with asyncio.timeout(patient(10)):
            while len(world.store.trouble["close"]) == away:
                await asyncio.sleep(0.01)
        for left in range(away - 2, -2, -1):
            assert world.store.holder is not None
            await world.leases.renew()
            assert len(world.store.trouble["close"]) == max(left, 0)

    assert (dialogue(talk).store.holder is None) is (away < 4)  # after that the lease has run out


def test_a_drained_session_may_still_quit() -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        ending = asyncio.ensure_future(world.sessions[0].end_with_jitter(5))
        await client.say("QUIT", "+OK", "")
        ending.cancel()

    assert list(dialogue(talk).store.messages) == [12]


def test_a_commit_in_hand_is_not_cut() -> None:
    async def talk(world: World, client: Client) -> None:
        world.store.before_close = lambda: world.sessions[0].end("server is going down")
        await client.log_in()
        await client.say("DELE 1", "+OK")
        await client.say("QUIT", "+OK", "")

    assert list(dialogue(talk).store.messages) == [12]


@pytest.mark.parametrize(
    ("trouble", "said", "left"),
    [
        (
            [Unavailable("away")],
            "-ERR [SYS/TEMP] the mail store cannot be reached, messages were not removed",
            [11, 12],
        ),
        ([Unanswered("cut")], "+OK", [12]),
        ([Unanswered("cut")] * 2, "-ERR [SYS/TEMP] the mail store did not say", [12]),
        ([Unanswered("cut"), Unavailable("away")], "-ERR [SYS/TEMP] the mail store did not say", [12]),
    ],
)
def test_quit_says_ok_only_when_it_is_so(trouble: list[Exception], said: str, left: list[int]) -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        await client.say("DELE 1", "+OK")
        world.store.trouble["close"] = trouble
        await client.say("QUIT", said, "")

    assert list(dialogue(talk).store.messages) == left


def test_login_delay_disconnects_and_gives_no_grant() -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        await client.say("QUIT", "+OK", "")
        world.auth.grants.clear()
        reader, writer = await asyncio.open_connection(*world_port(client))
        again = Client(reader, writer)
        await again.hear("+OK")
        await again.say("USER user%site.example", "+OK")
        await again.say("PASS  pass word ", "-ERR [LOGIN-DELAY] minimum time between mail checks is 60 seconds", "")
        assert not world.auth.grants

    dialogue(talk)


def world_port(client: Client) -> tuple[str, int]:
    host, port = client.writer.get_extra_info("peername")
    return str(host), int(port)


def test_in_use() -> None:
    async def talk(world: World, client: Client) -> None:
        world.store.holder = UUID(int=9)
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [IN-USE]")
        await client.say("STAT", "-ERR not allowed")

    assert dialogue(talk).store.holder == UUID(int=9), "somebody else's lock is left alone"


@pytest.mark.parametrize(
    ("who", "error"),
    [("auth", None), ("open", Unavailable("away")), ("open", Unanswered("cut")), ("read", Unavailable("x"))],
)
def test_a_service_that_is_away(who: str, error: Exception | None) -> None:
    async def talk(world: World, client: Client) -> None:
        world.auth.away = who == "auth"
        if error is not None:
            world.store.trouble[who] = [error]
        if who == "read":
            await client.log_in()
            await client.say("RETR 1", "-ERR [SYS/TEMP]")
            await client.say("RETR 1", "+OK", "Subject: one")
            return
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        world.auth.away = False
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "+OK 2 messages")  # P4's minute was not begun
        await client.say("QUIT", "+OK", "")

    assert dialogue(talk).store.holder is None


def test_auth_that_goes_away_before_a_check_is_undone_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(world: World, client: Client) -> None:
        async def away(operations: Any) -> list[bool]:
            raise Unavailable("away")

        monkeypatch.setattr(world.context.logins, "_undo_checks", away)
        world.store.trouble["open"] = [Unavailable("away")]
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [SYS/TEMP]")
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS  pass word ", "-ERR [LOGIN-DELAY]", "")

    dialogue(talk)


def test_auth_that_never_answers_is_away_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop_imap_frontend.conversation.logins.LOGIN_SECONDS", 0.3)

    async def talk(world: World, client: Client) -> None:
        async def never(items: Any) -> Any:
            await asyncio.Event().wait()

        world.context.logins._batcher._send = never
        await client.say("USER user%site.example", "+OK")
        await client.say("PASS x", "-ERR [SYS/TEMP]")

    dialogue(talk)


def test_a_message_that_an_imap_session_removed() -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        del world.store.messages[11]
        await client.say("RETR 1", "-ERR no such message")
        await client.say("NOOP", "+OK")

    dialogue(talk)


@pytest.mark.parametrize(
    ("error", "said"),
    [(BadRequest("not a question"), "-ERR [SYS/PERM] "), (Conflict("twice"), "-ERR [SYS/PERM] "),
     (TooLarge("too large"), "-ERR [SYS/PERM] "), (InternalError("a bug"), "-ERR [SYS/TEMP] "),
     (OverLimit("too much"), "-ERR [SYS/TEMP] "), (Unproven("no proof"), "-ERR [SYS/TEMP] ")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize("command", ["RETR 1", "TOP 1 0"])
def test_what_the_mail_store_refuses_for_good_is_final_for_the_client_too(
    command: str, error: Exception, said: str
) -> None:
    """RFC 3206: [SYS/PERM] where trying again cannot help, and the session goes on."""

    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        world.store.trouble["read"] = [error]
        await client.say(command, said)
        await client.say("STAT", "+OK 2")
        await client.say("RETR 1", "+OK", "Subject: one")

    dialogue(talk)


def test_a_message_that_breaks_off_ends_the_connection_and_not_the_message() -> None:
    """Half a message followed by a dot would be a whole one to the client, which then deletes it."""

    async def talk(world: World, client: Client) -> None:
        world.store.messages = {1: b"Subject: long\r\n\r\n" + b"line\r\n" * 50}
        await client.log_in()
        world.store.trouble["line"] = [Unanswered("broke off")]
        client.writer.write(b"RETR 1\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"\r\n.\r\n" not in await client.reader.read()

    assert dialogue(talk).store.holder is None


@pytest.mark.parametrize("sizes", [[1], [2, 3], [5, 1, 1], [100]])
def test_dots_are_doubled_whatever_the_pieces(sizes: list[int]) -> None:
    for raw in (b".a\r\n..\r\n.\r\n", b"a\r\n\r\n.", b"\r\n.x\r.\n.", b"\n.\r\n", b"", b"\r", b"...\r\r\n."):
        stuffing, got, at = Stuffing(), b"", 0
        for size in itertools.cycle(sizes):
            if at >= len(raw):
                break
            got += stuffing.add(raw[at : at + size])
            at += size
        expected = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
        expected += b".\r\n" if raw.endswith(b"\r\n") or not raw else b"\r\n.\r\n"
        assert got + stuffing.end() == expected


def test_wrong_passwords_end_the_connection() -> None:
    script("\n".join(["C: USER user@site.example", "S: +OK", "C: PASS wrong", "S: -ERR [AUTH]"] * 5 + ["S:"]))


def test_no_login_without_tls() -> None:
    world = script(
        "\n".join([
            "C: CAPA", "S: +OK", "S: TOP", "S: UIDL", "S: RESP-CODES", "S: AUTH-RESP-CODE", "S: PIPELINING",
            "S: EXPIRE NEVER", "S: LOGIN-DELAY 60", "S: STLS", "S: IMPLEMENTATION", "S: .",
            "C: USER user@site.example", "S: -ERR TLS required, use STLS",
            "C: PASS  pass word ", "S: -ERR TLS required, use STLS",
            "C: AUTH PLAIN AHVzZXIAcGFzcw==", "S: -ERR TLS required, use STLS",
        ]),
        plaintext_logins=False,
    )  # fmt: skip
    assert not world.auth.grants


def test_stls_forgets_what_was_sent_ahead() -> None:
    async def talk(world: World, client: Client) -> None:
        client.writer.write(b"STLS\r\nCAPA\r\nUSER user@site.example\r\n")
        await client.hear("+OK begin TLS")
        trusting = ssl.create_default_context()
        CA.configure_trust(trusting)
        await client.writer.start_tls(trusting, server_hostname="localhost")
        await client.say("PASS  pass word ", "-ERR USER first")
        await client.say("STLS", "-ERR TLS is already active")
        await client.log_in()
        await client.say("STLS", "-ERR not allowed in this state")
        await client.say("QUIT", "+OK")

    dialogue(talk, plaintext_logins=False)


def plain(text: bytes) -> str:
    return base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["AUTH PLAIN " + plain(b"\0user%site.example\0 pass word ")], ["+OK 2 messages"]),
        (["auth plain", plain(b"\0user%site.example\0 pass word ")], ["+ ", "+OK 2 messages"]),
        (["AUTH PLAIN", "*"], ["+ ", "-ERR cancelled"]),
        (["AUTH PLAIN " + plain(b"\0user%site.example\0wrong")], ["-ERR [AUTH]"]),
        (["AUTH PLAIN not-base64!"], ["-ERR syntax"]),
        (["AUTH PLAIN " + plain(b"no zeros")], ["-ERR syntax"]),
        (["AUTH PLAIN " + plain(b"\0a\0b\0c")], ["-ERR syntax"]),
        (["AUTH PLAIN", "x" * 5000], ["+ ", "-ERR line too long"]),
        (["AUTH CRAM-MD5"], ["-ERR the only mechanism"]),
        (["AUTH"], ["-ERR the only mechanism"]),
    ],
)
def test_sasl(lines: list[str], said: list[str]) -> None:
    async def talk(world: World, client: Client) -> None:
        for line, answer in zip(lines, said, strict=True):
            await client.say(line, answer)
        await client.say("QUIT", "+OK", "")

    dialogue(talk)


@pytest.mark.parametrize("verb", ["STAT", "LIST", "UIDL", "RETR 1", "TOP 1 1", "DELE 1", "RSET", "NOOP"])
def test_each_command_has_its_state(verb: str) -> None:
    async def talk(world: World, client: Client) -> None:
        await client.say(verb, "-ERR not allowed in this state")
        await client.log_in()
        for late in ("USER x", "PASS x", "AUTH PLAIN", "STLS"):
            await client.say(late, "-ERR not allowed in this state")

    dialogue(talk)


@pytest.mark.parametrize(
    "line",
    [
        "RETR",
        "RETR 0",
        "RETR 3",
        "RETR -1",
        "RETR x",
        "RETR 99999999999999999999",
        "RETR ¹",
        "TOP 1",
        "TOP 1 x",
        "DELE 1 2",
    ],
)
def test_bad_arguments(line: str) -> None:
    async def talk(world: World, client: Client) -> None:
        await client.log_in()
        await client.say(line, "-ERR")
        await client.say("STAT", "+OK 2 60")

    dialogue(talk)


def test_too_long_a_line_and_binary_junk_keep_the_dialogue_in_step() -> None:
    async def talk(world: World, client: Client) -> None:
        await client.say("NOOP " + "x" * 300, "-ERR line too long")
        client.writer.write(b"x" * 200_000 + b"\r\n")
        await client.hear("-ERR line too long")
        client.writer.write(b"\xff\x00\xfe junk\r\n\r\n")
        await client.hear("-ERR unknown command", "-ERR unknown command")
        await client.say("QUIT", "+OK", "")

    dialogue(talk)


def test_twenty_bad_commands_end_the_connection() -> None:
    script("\n".join(["C: XYZZY", "S: -ERR unknown command"] * 20 + ["S: -ERR too many bad commands", "S:"]))


def test_a_plain_half_close_still_gets_its_answers() -> None:
    async def talk(world: World, client: Client) -> None:
        client.writer.write(b"USER user%site.example\r\nPASS  pass word \r\nDELE 2\r\nQUIT\r\n")
        client.writer.write_eof()
        await client.hear("+OK", "+OK", "+OK", "+OK", "")

    assert list(dialogue(talk).store.messages) == [11]


@given(st.binary(max_size=400) | st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\n", b"\r"])).map(b"".join))
def test_dots_doubled_and_taken_away_again(raw: bytes) -> None:
    """A client that un-stuffs as RFC 1939 3 says gets the message back, plus an end of line if it had none."""
    wire = stuffed(raw)
    assert wire.endswith(b".\r\n")
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert end == len(lines) - 2, "nothing inside looks like the end"
    back = b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:end])
    assert back == (raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n")


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([
    b"USER user@site.example", b"PASS  pass word ", b"AUTH PLAIN", b"STAT", b"LIST 1", b"UIDL", b"RETR 1", b"TOP 2 0",
    b"DELE 1", b"RSET", b"CAPA", b"NOOP", b"*",
]), max_size=25))  # fmt: skip
def test_any_conversation_is_survived(lines: list[bytes]) -> None:
    """Whatever is sent: every status line is +OK, -ERR or a challenge, and nothing goes away without QUIT."""

    async def talk(world: World, client: Client) -> None:
        client.writer.write(
            b"".join(line.replace(b"QUIT", b"") + b"\r\n" for line in lines if b"STLS" not in line.upper())
        )
        client.writer.write_eof()
        await asyncio.wait_for(client.reader.read(), patient(12))

    world = dialogue(talk)
    if not any(line.strip().upper() == b"QUIT" for raw in lines for line in raw.split(b"\n")):
        assert world.store.messages == TWO
    assert world.store.holder is None


def _many(count: int, octets: int = 1000) -> dict[int, bytes]:
    return {uid: b"Subject: %d\r\n\r\n" % uid + b"x" * octets + b"\r\n" for uid in range(1, count + 1)}


async def _retrieve(client: Client, number: int) -> str:
    await client.say(f"RETR {number}", "+OK")
    subject = (await client.reader.readline()).decode().strip()
    while await client.reader.readline() != b".\r\n":
        pass
    return subject


def test_a_maildrop_read_from_front_to_back_is_read_ahead_in_few_calls() -> None:
    async def talk(world: World, client: Client) -> None:
        world.store.messages = _many(40)
        await client.log_in()
        for number in range(1, 41):
            assert await _retrieve(client, number) == f"Subject: {number}"
        assert world.store.read_ahead_calls == 3
        for number in (7, 3, 9):  # out of order: each for itself
            assert await _retrieve(client, number) == f"Subject: {number}"
        assert world.store.read_ahead_calls == 3

    dialogue(talk)


def test_reading_ahead_leaves_out_what_is_marked_gone_or_large() -> None:
    async def talk(world: World, client: Client) -> None:
        world.store.messages = _many(6) | {4: _many(1, 100_000)[1]}
        await client.log_in()
        assert await _retrieve(client, 1) == "Subject: 1"
        await client.say("DELE 3", "+OK")
        assert await _retrieve(client, 2) == "Subject: 2"
        await client.say("RETR 3", "-ERR")
        assert await _retrieve(client, 4) == "Subject: 1"  # the large one, alone
        world.store.trouble["ahead"] = [Unavailable("away")]
        assert await _retrieve(client, 5) == "Subject: 5"
        del world.store.messages[6]
        await client.say("RETR 6", "-ERR")

    dialogue(talk)
