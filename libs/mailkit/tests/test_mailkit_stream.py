"""Streams over real sockets under uvloop: lines, literals, deadlines, flow control, STARTTLS."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest
import trustme
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit.net.deadlines import IdleTimeout
from mailkit.net.reading import HIGH_WATER, LineTooLong
from mailkit.net.stream import Stream
from mailkit.testing.speed import patient

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def talk_to(
    server: Callable[[Stream], Coroutine[Any, Any, None]], client: Callable[[Client], Awaitable[None]], **options: Any
) -> None:
    """Run one conversation to its end on both sides."""

    async def both() -> None:
        loop = asyncio.get_running_loop()
        streams: list[Stream] = []

        def make() -> Stream:
            streams.append(Stream(server, **options))
            return streams[-1]

        listening = await loop.create_server(make, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname(), limit=1 << 24)
        try:
            await client((reader, writer))
        finally:
            writer.close()
            listening.close()
        for stream in streams:
            assert stream.task is not None
            await stream.task
            await stream.aclose()

    async def bounded() -> None:
        await asyncio.wait_for(both(), patient(20))

    uvloop.run(bounded())


async def echo(stream: Stream) -> None:
    while True:
        try:
            line = await stream.readline(20)
        except LineTooLong:
            await stream.skip_line()
            stream.write(b"too long\r\n")
            continue
        if line.startswith(b"{"):
            count = int(line[1:])
            line = b"%d" % len(await stream.read_exactly(count))
        elif line.startswith(b"-"):
            await stream.discard(int(line[1:]))
            line = b"gone"
        stream.write(b"<" + line + b">\r\n")
        await stream.drain()


def answers(sent: bytes, *, pieces: int = 0, **options: Any) -> bytes:
    """What `echo` answers when `sent` is sent and the connection half-closed."""
    got = b""

    async def client(sides: Client) -> None:
        nonlocal got
        reader, writer = sides
        step = pieces or max(1, len(sent))
        for start in range(0, len(sent), step):
            writer.write(sent[start : start + step])
            await writer.drain()
        writer.write_eof()
        got = await reader.read()

    talk_to(echo, client, **options)
    return got


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"a\r\nb\nc\r\n", b"<a>\r\n<b>\r\n<c>\r\n"),
        (b"\r\n\n", b"<>\r\n<>\r\n"),
        (b"unfinished", b""),
        (b"a\rb\r\n\xff\x00\r\n", b"<a\rb>\r\n<\xff\x00>\r\n"),
        (b"x" * 20 + b"\r\n", b"<" + b"x" * 20 + b">\r\n"),
        (b"x" * 21 + b"\r\nnext\r\n", b"too long\r\n<next>\r\n"),
        (b"x" * 200_000 + b"\r\nnext\r\n", b"too long\r\n<next>\r\n"),
        (b"{5\r\nab\r\ncnext\r\n", b"<5>\r\n<next>\r\n"),
        (b"{200000\r\n" + b"y" * 200_000 + b"next\r\n", b"<200000>\r\n<next>\r\n"),
        (b"-200000\r\n" + b"y" * 200_000 + b"next\r\n", b"<gone>\r\n<next>\r\n"),
        (b"{5\r\nab", b""),
    ],
)
def test_lines_and_literals(sent: bytes, said: bytes) -> None:
    assert answers(sent) == said


def test_strict_endings() -> None:
    assert answers(b"a\nb\r\nc\r\n", bare_lf=False) == b"<a\nb>\r\n<c>\r\n"


@settings(max_examples=40)
@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"{", b"").replace(b"-", b"")), max_size=8),
    st.integers(1, 9),
)
def test_how_bytes_are_cut_into_packets_changes_nothing(lines: list[bytes], pieces: int) -> None:
    sent = b"".join(line + b"\r\n" for line in lines)
    assert answers(sent, pieces=pieces) == answers(sent)
    assert answers(sent).count(b"\r\n") == sent.count(b"\n") + answers(sent).count(b"\n") - answers(sent).count(b"\r\n")


def test_an_endless_line_is_given_up() -> None:
    async def server(stream: Stream) -> None:
        with pytest.raises(LineTooLong):
            await stream.readline(100)
        with pytest.raises(LineTooLong):
            await stream.skip_line(300_000)

    async def client(sides: Client) -> None:
        reader, writer = sides
        with pytest.raises(OSError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        assert reader.exception() is not None or reader.at_eof()

    talk_to(server, client)


def test_memory_is_bounded_while_nobody_reads() -> None:
    """A client that sends without end is stopped by the window, not by our memory."""
    enough = 50 * HIGH_WATER

    async def server(stream: Stream) -> None:
        while stream.received < HIGH_WATER:
            await asyncio.sleep(0.01)
        before = -1
        while stream.received != before:
            before = stream.received
            await asyncio.sleep(0.05)
        assert stream.received < enough
        await stream.discard(enough)
        stream.write(b"done")

    async def client(sides: Client) -> None:
        sides[1].write(b"z" * enough)
        assert await sides[0].read() == b"done"

    talk_to(server, client)


def test_silence_ends_and_a_slow_line_is_silence() -> None:
    async def server(stream: Stream) -> None:
        stream.set_idle(0.3)
        with pytest.raises(IdleTimeout):
            await stream.readline(100)
        stream.write(b"idle\r\n")

    async def client(sides: Client) -> None:
        reader, writer = sides
        answer = asyncio.ensure_future(reader.readline())
        while not answer.done():
            writer.write(b"x")  # one byte at a time does not hold the connection open
            await asyncio.wait({answer}, timeout=0.05)
        assert answer.result() == b"idle\r\n"

    talk_to(server, client)


def test_work_is_not_silence() -> None:
    async def server(stream: Stream) -> None:
        assert await stream.readline(100) == b"a"
        stream.set_idle(0.2)
        await asyncio.sleep(0.5)
        assert await stream.readline(100) == b"b"
        stream.write(b"ok\r\n")

    async def client(sides: Client) -> None:
        sides[1].write(b"a\r\nb\r\n")
        assert await sides[0].readline() == b"ok\r\n"

    talk_to(server, client)


def test_a_client_that_does_not_read_is_cut_off() -> None:
    cut: list[bool] = []

    async def server(stream: Stream) -> None:
        stream.set_idle(0.3)
        with pytest.raises(IdleTimeout):
            await stream.send(b"m" * 30_000_000)
        cut.append(True)
        await stream.aclose()
        with pytest.raises(ConnectionResetError):
            await stream.drain()

    async def client(sides: Client) -> None:
        writer = sides[1]
        transport = writer.transport
        transport = cast(asyncio.ReadTransport, transport)
        transport.pause_reading()
        while not cut:
            await asyncio.sleep(0.02)
        transport.abort()

    talk_to(server, client)


def test_small_writes_leave_together_and_large_ones_arrive_whole() -> None:
    data = bytes(range(256)) * 20_000

    async def server(stream: Stream) -> None:
        for _ in range(1000):
            stream.write(b"ab")
        await stream.send(data)
        assert stream.sent <= len(data) + 2000
        stream.write(b"end")

    async def client(sides: Client) -> None:
        assert await sides[0].read() == b"ab" * 1000 + data + b"end"

    talk_to(server, client)


CA = trustme.CA()


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost").configure_cert(context)
    return context


async def secured(stream: Stream) -> None:
    context = server_context()
    while True:
        line = await stream.readline(100)
        if line == b"STLS":
            stream.write(b"+OK begin\r\n")
            await stream.start_tls(context)
        else:
            stream.write(b"%s over %s\r\n" % (line, b"TLS" if stream.tls else b"plain"))


def test_starttls_forgets_what_was_sent_ahead() -> None:
    async def client(sides: Client) -> None:
        reader, writer = sides
        writer.write(b"NOOP\r\n")
        assert await reader.readline() == b"NOOP over plain\r\n"
        writer.write(b"STLS\r\nINJECTED\r\nAND MORE")
        assert await reader.readline() == b"+OK begin\r\n"
        trusting = ssl.create_default_context()
        CA.configure_trust(trusting)
        await writer.start_tls(trusting, server_hostname="localhost")
        writer.write(b"NOOP\r\nQUIT\r\n")
        assert await reader.readline() == b"NOOP over TLS\r\n"
        assert await reader.readline() == b"QUIT over TLS\r\n"

    talk_to(secured, client)


@pytest.mark.parametrize("hello", [b"this is no handshake\r\n\r\n", b"", b"\x16\x03\x01"])
def test_a_handshake_that_fails_ends_the_connection(hello: bytes) -> None:
    lost = []

    async def server(stream: Stream) -> None:
        await stream.readline(100)
        stream.write(b"+OK begin\r\n")
        try:
            await stream.start_tls(server_context())
        except ConnectionResetError as error:
            lost.append(error)
            raise

    async def client(sides: Client) -> None:
        reader, writer = sides
        writer.write(b"STLS\r\n")
        assert await reader.readline() == b"+OK begin\r\n"
        writer.write(hello)
        writer.write_eof()
        await reader.read()

    talk_to(server, client)
    assert lost


def test_large_pipelined_answers_over_tls() -> None:
    data = b"q" * 3_000_000

    async def server(stream: Stream) -> None:
        await stream.readline(10)
        stream.write(b"+OK begin\r\n")
        await stream.start_tls(server_context())
        while await stream.readline(10) == b"RETR":
            await stream.send(data)

    def blocking(port: int) -> int:
        trusting = ssl.create_default_context()
        CA.configure_trust(trusting)
        with socket.create_connection(("127.0.0.1", port), patient(10)) as raw:
            raw.sendall(b"STLS\r\n")
            assert raw.recv(100) == b"+OK begin\r\n"
            with trusting.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(b"RETR\r\nRETR\r\nQUIT\r\n")
                total = 0
                while piece := tls.recv(65536):
                    total += len(piece)
                return total

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: Stream(server), "127.0.0.1", 0)
        total = await asyncio.wait_for(asyncio.to_thread(blocking, listening.sockets[0].getsockname()[1]), patient(20))
        assert total == 2 * len(data)
        listening.close()

    uvloop.run(main())
