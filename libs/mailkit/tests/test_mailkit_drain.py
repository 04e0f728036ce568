"""Decision 13: a draining service lets its callers' kept connections go, one answer after the other."""

import asyncio

from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import create_app
from mailkit.rpc.http_server import HttpSide
from mailkit.testing.speed import patient

ASK = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"


async def test_each_answer_of_a_draining_service_is_its_connections_last() -> None:
    life = Lifecycle()
    http = HttpSide(create_app("test", life), "127.0.0.1", 0)
    await http.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
    try:
        for _ in range(2):  # kept, as long as the service stays
            writer.write(ASK)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patient(5))
            await reader.readuntil(b"}")
            assert b"connection: close" not in head.lower()
        life.stopping.set()
        writer.write(ASK)
        answer = await asyncio.wait_for(reader.read(), patient(5))  # to the end: the service closes
        assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
    finally:
        writer.close()
        await http.stop()
