"""The gateway over real sockets under uvloop: how connections end, and what is sent before they do."""

import asyncio
from collections.abc import Awaitable, Callable

from mailkit.net.connections import Limits
from smtp_gateway.smtp.context import SmtpContext
from tests.support.gateway import Client, Services, context, serve


def test_a_client_that_leaves_without_quit_leaves_no_connection_open() -> None:
    told: list[SmtpContext] = []

    def shared() -> SmtpContext:
        told.append(fast())
        return told[0]

    async def client(connect: Callable[[], Awaitable[Client]]) -> None:
        for sent in (
            b"",
            b"EHLO client.test\r\n",
            b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\nhalf",
        ):
            reader, writer = await connect()
            assert (await reader.readline()).startswith(b"220 ")
            writer.write(sent)
            writer.write_eof()
            await reader.read()  # to the end of the gateway's side
            writer.close()
        while told[0].sessions.open:
            await asyncio.sleep(0.01)

    serve(client, shared, Limits())


def fast() -> SmtpContext:
    return context(smtp_error_seconds=0)


def test_errors_without_end_are_answered_and_the_last_word_is_421() -> None:
    async def client(connect: Callable[[], Awaitable[Client]]) -> None:
        reader, writer = await connect()
        writer.write(b"EHLO client.test\r\n" + b"NOSUCH\r\n" * 200)
        lines = (await reader.read()).splitlines()
        assert lines.count(b"500 5.5.1 Command not recognized") == 20
        assert lines[-1] == b"421 4.7.0 Too many errors"
        writer.close()

    serve(client, fast, Limits())


def test_a_browser_hears_the_greeting_and_nothing_else() -> None:
    async def client(connect: Callable[[], Awaitable[Client]]) -> None:
        reader, writer = await connect()
        assert (await reader.readline()).startswith(b"220 ")
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\nEHLO a\r\nMAIL FROM:<>\r\n")
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            pass
        writer.close()

    serve(client, fast, Limits())


def test_a_large_message_in_pieces_and_the_next_command_behind_it() -> None:
    services = Services()

    async def client(connect: Callable[[], Awaitable[Client]]) -> None:
        reader, writer = await connect()
        writer.write(b"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<u@here.test>\r\nDATA\r\n")
        while not (await reader.readline()).startswith(b"354 "):
            pass
        line = b"x" * 998 + b"\r\n"
        for _ in range(300):
            writer.write(line * 10)
            await writer.drain()
        writer.write(b".\r\nNOOP\r\nQUIT\r\n")
        lines = (await reader.read()).splitlines()
        assert [line[:4] for line in lines] == [b"250 ", b"250 ", b"221 "]
        assert services.taken[0].body.endswith(line * 3000)
        writer.close()

    serve(client, lambda: context(services), Limits())


def test_connections_beyond_the_rate_are_told_to_come_later() -> None:
    async def client(connect: Callable[[], Awaitable[Client]]) -> None:
        first = []
        for _ in range(4):
            reader, writer = await connect()
            first.append(await reader.readline())
            writer.close()
        assert [line[:4] for line in first] == [b"220 "] * 3 + [b"421 "]

    serve(client, fast, Limits(per_minute=3))
