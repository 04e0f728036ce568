"""A client that sends many commands at once does not keep the loop from everybody else."""

import asyncio
import time

import uvloop

from mailkit.net.stream import Stream

LINES = 100
#: Seconds that carrying one line out takes, without waiting for anything.
WORK = 0.005


def test_others_get_their_turn_between_lines_that_came_in_one_piece() -> None:
    turns = 0
    seen = set[int]()
    begin = asyncio.Event()

    async def talk(stream: Stream) -> None:
        await begin.wait()
        for _ in range(LINES):
            await stream.readline(100)
            seen.add(turns)
            end = time.monotonic() + WORK
            while time.monotonic() < end:
                pass
        stream.write(b"done\r\n")

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stream(talk), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"x\r\n" * LINES)
        task = loop.create_task(others())
        begin.set()
        assert await reader.readline() == b"done\r\n"
        task.cancel()
        writer.close()
        server.close()

    uvloop.run(both())
    assert len(seen) > LINES // 10
