"""Dialogues of hostile clients: the session says a clear error or nothing, and stays in step."""

import asyncio

import pytest

from mailkit.listener import Peer
from smtp_gateway.config import GatewaySettings
from smtp_gateway.context import Context, Held
from smtp_gateway.session import SmtpSession


class Wire(asyncio.Transport):
    """A transport that keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


async def said(*pieces: bytes) -> bytes:
    """What a session answers to the octets, with QUIT at their end."""
    context = Context(
        GatewaySettings(helo_name="here.test", smtp_error_seconds=0), None, None, None, None, Held(1 << 20), None
    )  # type: ignore[arg-type]
    session, wire = SmtpSession(Peer("192.0.2.1", 1, "smtp", False), context), Wire()
    session.connection_made(wire)
    for piece in pieces:
        session.data_received(piece)
    session.data_received(b"QUIT\r\n")
    async with asyncio.timeout(5):
        while b"\r\n221 " not in wire.said and not wire.closed:
            await asyncio.sleep(0)
    session.connection_lost(None)
    return wire.said


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


async def test_errors_without_end_end_the_connection() -> None:
    answer = await said(b"XYZZY\r\n" * 100)
    assert answer.count(b"\r\n50") <= 22
