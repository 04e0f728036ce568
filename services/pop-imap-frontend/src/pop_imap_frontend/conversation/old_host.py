"""Sessions of mailboxes that are not here yet: from the login on, the octets of both directions are passed on to the old host.

docs/decisions/0126.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Literal

from auth_api.logins import Given
from auth_api.wire import LoginAnswer
from mailkit.errors import Unavailable
from mailkit.mail.sasl import Password
from mailkit.net.deadlines import IdleTimeout
from mailkit.net.old_host import OldConnection, log_in
from mailkit.net.stream import Stream

#: Octets that are passed on at once.
PIECE = 64 * 1024


async def connect(
    protocol: Literal["pop3", "imap"], answer: LoginAnswer, given: Given, tls: ssl.SSLContext | None, ends: float
) -> OldConnection:
    """Log in at the old host that `answer` names, before the deadline `ends`. Raises WrongPassword, Unavailable."""
    place = answer.old_host
    if place is None or tls is None or not isinstance(given, Password):
        raise Unavailable("no session can be handed over")
    seconds = max(0.0, ends - asyncio.get_running_loop().time())
    return await log_in(protocol, place.host, place.port, answer.address, given.password, tls=tls, seconds=seconds)


async def relay(stream: Stream, old: OldConnection, idle: float) -> None:
    """Pass on what either side sends until one of them ends the connection, or neither has sent anything for `idle` seconds.

    A side is read no faster than the other takes it.
    """
    loop = asyncio.get_running_loop()
    moved = loop.time()
    stream.set_idle(idle)

    async def to_old_host() -> None:
        nonlocal moved
        while True:
            try:
                data = await stream.read_some()
            except IdleTimeout:
                if loop.time() - moved < idle:
                    continue
                return
            if not data:
                return
            moved = loop.time()
            old.writer.write(data)
            async with asyncio.timeout(idle):
                await old.writer.drain()

    async def to_client() -> None:
        nonlocal moved
        while data := await old.reader.read(PIECE):
            moved = loop.time()
            await stream.send(data)

    ways = [loop.create_task(to_old_host()), loop.create_task(to_client())]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            with suppress(EOFError, OSError, IdleTimeout):  # one of the two has gone
                way.result()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        old.close()
