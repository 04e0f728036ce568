"""Persistent connections to one service, replaced from time to time so that a rollout or scale-out is noticed (decision 13)."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from mailkit.net.keepalive import keep_alive

#: Seconds after which connections are replaced.
RENEW_SECONDS = 30.0


class RenewedConnections:
    """At most `most` connections at a time; those that were replaced are closed `linger` seconds later, after their streams."""

    def __init__(self, token: str, most: int, linger: float) -> None:
        self._headers = {"authorization": f"Bearer {token}"}
        self._most = most
        self._linger = linger
        self._session: aiohttp.ClientSession | None = None
        self._born = 0.0
        self._streams: Counter[aiohttp.ClientSession] = Counter()
        self._retired: dict[asyncio.Task[None], aiohttp.ClientSession] = {}

    def session(self) -> aiohttp.ClientSession:
        """Return the session whose connections are in use."""
        if self._session is not None and time.monotonic() - self._born > RENEW_SECONDS:
            self.renew()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._most, keepalive_timeout=60, socket_factory=_socket),
                headers=self._headers,
                auto_decompress=False,
                trust_env=False,
            )
            self._born = time.monotonic()
        return self._session

    @contextmanager
    def streaming(self) -> Iterator[aiohttp.ClientSession]:
        """Keep a session open until a stream of it ends, however long that takes."""
        session = self.session()
        self._streams[session] += 1
        try:
            yield session
        finally:
            self._streams[session] -= 1
            self._streams += Counter()  # keeps only those with streams

    def renew(self) -> None:
        """Use new connections from now on; requests under way finish on the old ones."""
        old, self._session = self._session, None
        if old is not None:
            task = asyncio.get_running_loop().create_task(self._retire(old))
            self._retired[task] = old
            task.add_done_callback(lambda task: self._retired.pop(task, None))

    async def _retire(self, session: aiohttp.ClientSession) -> None:
        try:
            await asyncio.sleep(self._linger)
            while self._streams[session]:
                await asyncio.sleep(5)
        finally:
            await session.close()

    async def aclose(self) -> None:
        """Close all connections."""
        retired = dict(self._retired)
        for task in retired:
            task.cancel()
        await asyncio.gather(*retired, return_exceptions=True)
        for old in retired.values():
            await old.close()  # a task cancelled before its first step has closed nothing
        if self._session is not None:
            await self._session.close()
            self._session = None


def _socket(found: aiohttp.AddrInfoType) -> socket.socket:
    """Create a socket for this address, with keepalives: a node that vanishes is noticed within a minute."""
    family, kind, protocol, _, _ = found
    made = socket.socket(family, kind, protocol)
    keep_alive(made)
    return made
