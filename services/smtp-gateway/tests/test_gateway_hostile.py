"""Dialogues of hostile clients: the session says a clear error or nothing, and stays in step."""

import pytest

from mailkit.testing.speed import until
from tests.support.gateway import Dialogue, context


async def said(*pieces: bytes) -> bytes:
    """What a session answers to the octets, with QUIT at their end."""
    talk = Dialogue(context(smtp_error_seconds=0))
    for piece in (*pieces, b"QUIT\r\n"):
        talk.session.data_received(piece)
    await until(lambda: b"\r\n221 " in talk.wire.said or talk.wire.closed)
    talk.leave()
    return talk.wire.said


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00\x80\r\n", b"XYZZY\r\n", b"x" * 5000 + b"\r\n", b"EHLO\r\n", b"\x15\x03\x01\x02\r\n"]
)
async def test_junk_is_refused_and_the_session_stays_up(junk: bytes) -> None:
    answer = await said(junk, b"NOOP\r\n")
    assert b"\r\n50" in answer
    assert answer.index(b"\r\n50") < answer.index(b"\r\n250")


async def test_pipelined_commands_are_answered_in_order_however_they_are_cut() -> None:
    text = b"EHLO client.test\r\nNOOP\r\nRSET\r\nRCPT TO:<a@b.test>\r\nDATA\r\n"
    whole = await said(text)
    assert whole == await said(*[text[at : at + 1] for at in range(len(text))])
    assert whole.count(b"\r\n503 ") == 2
