"""Mailbox names in modified UTF-7 (RFC 3501 5.1.3): there and back, and whatever else a client sends."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.net.stream import Stream
from mailkit.testing.speed import patient
from pop_imap_frontend.imap.reader import read_command
from pop_imap_frontend.imap.refusals import BadCommand, Disconnect, No
from pop_imap_frontend.imap.utf7 import decode_utf7, encode_utf7

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(NAMES)
def test_fuzz_a_name_comes_back(name: str) -> None:
    wire = encode_utf7(name)
    assert all(0x20 <= octet <= 0x7E for octet in wire)
    assert decode_utf7(wire) == name


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"&", b"-", b"AOk", b"2AA", b",", b"a"])).map(b"".join))
def test_fuzz_any_octets_are_a_name_or_a_value_error(raw: bytes) -> None:
    try:
        decode_utf7(raw)
    except ValueError:
        pass


async def taken(_size: int) -> None:
    """Every literal fits."""


PIECES = st.sampled_from(
    [
        b"a1 LOGIN x y",
        b"\r\n",
        b"\n",
        b"\r",
        b"{3}",
        b"{3+}",
        b"{99999999}",
        b"{9999999999+}",
        b"~{2+}",
        b" ",
        b"APPEND INBOX ",
        b"UID FETCH 1 (FLAGS)",
        b"abc",
        b"*",
        b"+",
    ]
)


@settings(max_examples=200)
@given(st.lists(PIECES | st.binary(max_size=6), max_size=15).map(b"".join), st.booleans())
def test_fuzz_any_octets_end_in_a_command_or_a_disconnect(raw: bytes, logged_in: bool) -> None:
    async def talk() -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def serve(stream: Stream) -> None:
            try:
                while True:
                    command = await read_command(stream, append_limit=1000, take_literal=taken if logged_in else None)
                    assert command.refusal is None or isinstance(command.refusal, BadCommand | No)
            except (EOFError, Disconnect, ConnectionError):
                done.set_result(None)
            except BaseException as error:
                done.set_exception(error)

        server = await asyncio.get_running_loop().create_server(lambda: Stream(serve), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(raw)
        writer.write_eof()
        await asyncio.wait_for(done, patient(10))
        writer.close()
        server.close()

    asyncio.run(talk())
