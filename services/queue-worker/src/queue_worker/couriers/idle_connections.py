"""Connections kept open for the next group to the same address (at most 100 messages, 60 s idle)."""

import asyncio

from queue_worker.couriers.conversation import Conversation
from queue_worker.couriers.models import CourierSettings
from queue_worker.couriers.targets import HostAddress


class IdleConnections:
    """Idle conversations by target; a target is a host name and an address, and all have the same port.

    A conversation uses TLS whenever its host offered it, so a kept conversation satisfies the TLS policy.
    """

    def __init__(self, settings: CourierSettings) -> None:
        self._settings = settings
        self._idle: dict[Conversation, None] = {}
        self._by_target: dict[HostAddress, list[Conversation]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, target: HostAddress, tls_only: bool) -> Conversation | None:
        """Take a live conversation with `target`, the last used first; None if there is none. `tls_only`: only one with TLS."""
        while self._by_target.get(target):
            talk = self._by_target[target][-1]
            self._drop(talk)
            if talk.alive and not talk.closing and (talk.tls is not None or not tls_only):
                talk.answered = False
                return talk
            talk.cut()
        return None

    def give(self, talk: Conversation) -> None:
        """Keep `talk` for the next group, or send QUIT if it has carried its limit of messages."""
        if talk.closing or not talk.alive:
            talk.cut()
            return
        if talk.sent >= self._settings.messages_per_connection:
            self._leave(talk)
            return
        talk.idle_since = asyncio.get_running_loop().time()
        self._idle[talk] = None
        self._by_target.setdefault(talk.target, []).append(talk)
        while len(self._idle) > self._settings.idle_connections:
            oldest = next(iter(self._idle))
            self._drop(oldest)
            self._leave(oldest)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def forget(self, target: HostAddress) -> None:
        """Cut all conversations kept for `target`, after one of them was found dead."""
        for talk in self._by_target.get(target, ())[:]:
            self._drop(talk)
            talk.cut()

    def _drop(self, talk: Conversation) -> None:
        self._idle.pop(talk, None)
        kept = self._by_target.get(talk.target, [])
        if talk in kept:
            kept.remove(talk)
        if not kept:
            self._by_target.pop(talk.target, None)

    def _leave(self, talk: Conversation) -> None:
        task = asyncio.get_running_loop().create_task(talk.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _sweep(self) -> None:
        """End conversations that were idle too long; return when none is left."""
        while self._idle:
            oldest = next(iter(self._idle))
            wait = oldest.idle_since + self._settings.idle_seconds - asyncio.get_running_loop().time()
            if wait > 0 and not oldest.closing:
                await asyncio.sleep(min(wait, 5.0))
            else:
                self._drop(oldest)
                self._leave(oldest)

    async def close(self) -> None:
        """Cut all conversations."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for talk in list(self._idle):
            self._drop(talk)
            talk.cut()
        for task in list(self._leaving):
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
