"""The open sessions of this process: each connection's begin, and the end of all of them."""

import asyncio
from collections.abc import Callable

from mailkit.net.connections import Connections
from mailkit.net.listener import Factory, Peer
from mailkit.net.stream import Stream
from mailkit.process.lifecycle import Lifecycle
from pop_imap_frontend.conversation.session import Session
from pop_imap_frontend.metrics import count_bytes


class Sessions:
    """The open sessions of both protocols."""

    def __init__(self) -> None:
        self._open: set[Session] = set()

    def factory(self, make: Callable[[Stream, Peer], Session]) -> Factory:
        """Return the factory of a listener whose connections are sessions that `make` makes."""

        def connect(peer: Peer) -> Stream:
            async def talk(stream: Stream) -> None:
                session = make(stream, peer)
                self._open.add(session)
                try:
                    await session.run()
                finally:
                    self._open.discard(session)
                    count_bytes(peer.listener, stream.received, stream.sent)

            return Stream(talk)

        return connect

    async def end(self, life: Lifecycle, connections: Connections, spread: float, patience: float) -> None:
        """End every session within `spread` seconds, and abort the connections left open after `patience` seconds."""
        for session in list(self._open):
            life.spawn(session.end_with_jitter(spread))
        try:
            await asyncio.wait_for(connections.idle(), patience)
        except TimeoutError:
            for session in list(self._open):
                session.stream.abort()
