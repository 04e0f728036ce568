"""BDAT (RFC 3030): where a chunk ends, what it holds in memory, and that its lines obey the rules of DATA."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.mail.reply import Reply
from smtp_gateway.smtp.budget import BodyBudget
from smtp_gateway.smtp.chunks import Chunks
from smtp_gateway.smtp.context import SmtpContext
from smtp_gateway.smtp.paths import chunk_of
from tests.support.gateway import Dialogue, Services, context

ENVELOPE = b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\n"


async def begun(shared: SmtpContext) -> Dialogue:
    """A session with a recipient."""
    talk = Dialogue(shared)
    await talk.say(ENVELOPE, replies=4)
    return talk


def chunked(text: bytes, size: int) -> bytes:
    """`text` in chunks of `size` octets, the last one empty."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return b"".join(b"BDAT %d\r\n%b" % (len(piece), piece) for piece in pieces) + b"BDAT 0 LAST\r\n"


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.integers(1, 9))
async def test_fuzz_chunks_hold_what_was_announced_however_it_arrives(parts: list[bytes], step: int) -> None:
    bodies = BodyBudget(1 << 20)
    chunks = Chunks(1 << 20, bodies, 60, lambda: None)
    rest = b"".join(parts) + b"QUIT\r\n"
    for part in parts:
        chunks.begin(len(part))
        while not chunks.done.done():
            rest = chunks.feed(rest[:step]) + rest[step:]
    assert rest == b"QUIT\r\n"
    text = b"".join(parts)
    assert bodies.bytes == len(text)
    assert chunks.result() == text + (b"\r\n" if text and not text.endswith(b"\r\n") else b"")
    chunks.give_back()
    assert bodies.bytes == 0


@pytest.mark.parametrize("size", [1, 3, 4096])
async def test_lines_are_taken_as_they_are_and_the_next_command_is_read(size: int) -> None:
    services = Services()
    talk = await begun(context(services, smtp_junk_commands=1000))
    text = b"Subject: x\r\n\r\n.\r\n..\r\n.\r\nMAIL FROM:<evil@here.test>\r\nlast line"
    answer = await talk.say(chunked(text, size) + b"NOOP\r\n", replies=-(-len(text) // size) + 2)
    assert answer.endswith(b" queued as %b\r\n250 2.0.0 OK\r\n" % services.taken[0].submission_id.hex.encode())
    assert services.taken[0].body.endswith(b"\r\n" + text + b"\r\n")
    assert talk.session.context.bodies.bytes == 0


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"a\r", b"a\r\r\n", b"a\n.\r\n", b"a\n", b"\0\r\n"])
async def test_what_data_refuses_is_refused_in_chunks(text: bytes) -> None:
    whole = b"Subject: x\r\n\r\n" + text
    for size in (1, 100):
        talk = await begun(context())
        chunks = -(-len(whole) // size)
        answer = await talk.say(chunked(whole, size), replies=chunks + 1)
        assert answer.splitlines()[chunks].startswith(b"550 5."), (text, size)


@pytest.mark.parametrize(("most", "code"), [({"max_message_bytes": 4096}, b"552 5.3.4 "), ({}, b"452 4.3.1 ")])
async def test_a_message_too_large_is_read_to_its_end_and_holds_nothing(most: dict[str, int], code: bytes) -> None:
    services = Services()
    shared = context(services, gateway_body_bytes=1 << 20, **most)
    if not most:
        assert shared.bodies.take((1 << 20) - 5000)
    held = shared.bodies.bytes
    talk = await begun(shared)
    assert (await talk.say(b"BDAT 4000\r\n" + b"x" * 4000)).startswith(b"250 ")
    assert shared.bodies.bytes == held + 4000
    assert (await talk.say(b"BDAT 1500\r\n" + b"x" * 1500)).startswith(code)
    assert shared.bodies.bytes == held
    assert (await talk.say(b"BDAT 6\r\nNOOP\r\n")).startswith(code)
    assert (await talk.say(b"BDAT 6 LAST\r\nQUIT\r\n")).startswith(code)
    assert (await talk.say(b"MAIL FROM:<>\r\n")).startswith(b"250 ")  # the last chunk ended the transaction
    assert (services.taken, shared.bodies.bytes) == ([], held)


@pytest.mark.parametrize("then", [b"RSET\r\n", b"EHLO client.test\r\n", None, b"BDAT 99\r\nhalf"])
async def test_whatever_ends_a_transaction_releases_its_chunks(then: bytes | None) -> None:
    shared = context()
    talk = await begun(shared)
    await talk.say(b"BDAT 4000\r\n" + b"x" * 4000)
    assert shared.bodies.bytes == 4000
    if then is not None and b"half" not in then:
        await talk.say(then)
    else:
        talk.session.data_received(then or b"")
        talk.leave()
        await asyncio.sleep(0)
    assert shared.bodies.bytes == 0


async def test_all_chunks_together_have_the_time_of_one_message() -> None:
    talk = await begun(context(smtp_data_seconds=0.05))
    answer = await talk.say(b"BDAT 1\r\nx", replies=2)
    assert answer.endswith(b"421 4.4.2 Timeout, closing connection\r\n")
    assert talk.wire.closed


async def test_many_tiny_chunks_are_useless_commands_and_end_the_connection() -> None:
    talk = await begun(context(smtp_junk_commands=5, smtp_soft_errors=100, smtp_hard_errors=3))
    answer = await talk.say(b"BDAT 1\r\nx" * 100, replies=100)
    assert answer.count(b" octets received") == 8 - 1  # EHLO was the first useless command
    assert answer.endswith(b"421 4.7.0 Too many errors\r\n")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("0", (0, False)),
        ("12 LAST", (12, True)),
        ("12  last", (12, True)),
        ("", None),
        ("-1", None),
        ("1x", None),
        ("٣", None),
        ("LAST", None),
        ("1 LAST 2", None),
        ("9" * 21, None),
    ],
)
def test_the_argument_of_bdat(argument: str, expected: tuple[int, bool] | None) -> None:
    assert chunk_of(argument) == expected


async def test_the_first_refusal_stands() -> None:
    chunks = Chunks(10, BodyBudget(100), 60, lambda: None)
    first, second = Reply(452, "4.3.1", "a"), Reply(552, "5.3.4", "b")
    chunks.refuse(first)
    chunks.refuse(second)
    assert chunks.result() == first
    chunks.give_back()
