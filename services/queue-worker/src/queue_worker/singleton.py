"""Work that runs once whatever the number of replicas: a lease in the database, taken over when its holder is gone."""

from datetime import timedelta
from uuid import UUID

import asyncpg

from mailkit.clock import Clock
from queue_worker.storage.queue import sql

HOLD = timedelta(seconds=60)


class Singleton:
    """The right to do one kind of work. Ask `mine` before each round; a round is shorter than the hold."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, worker: UUID, name: str) -> None:
        self._pool = pool
        self._clock = clock
        self._worker = worker
        self._name = name

    async def mine(self) -> bool:
        """Take or keep the lease."""
        now = self._clock.now()
        return await self._pool.fetchval(sql.hold_singleton, self._name, self._worker, now, now + HOLD) is not None
