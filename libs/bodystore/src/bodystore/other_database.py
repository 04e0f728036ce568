"""Bodies in another database than the caller's rows: durable before the first reference, pinned until it is committed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from bodystore.chunks import Bodies
from bodystore.store import BodyGone, BodyStore, Entering, Sharing, erase, note, pin
from mailkit.postgres.pool import Connection


class OtherDatabase(BodyStore):
    """Bodies that are stored before the caller's transaction refers to them.

    A transaction around the caller's holds the rows of the bodies, so that the collector can mark none of them before
    the reference is committed.
    """

    @asynccontextmanager
    async def entering(self, bodies: Bodies, now: datetime) -> AsyncIterator[Entering]:
        async with AsyncExitStack() as pins:
            entering = _Entering(self, self._pool, pins)
            await entering.add(bodies, now)
            yield entering

    @asynccontextmanager
    async def sharing(self, body_ids: Sequence[UUID]) -> AsyncIterator[Sharing]:
        async with self._pool.acquire() as connection, connection.transaction():
            yield _Sharing(await pin(connection, body_ids))

    async def leaving(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        await note(self._pool, body_ids, now)

    async def erasing(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        await erase(self._pool, body_ids, now)


class _Entering(Entering):
    def __init__(self, store: BodyStore, pool: asyncpg.Pool, pins: AsyncExitStack) -> None:
        self._store = store
        self._pool = pool
        self._pins = pins
        self._pinning: Connection | None = None

    async def insert(
        self, connection: Connection, bodies: Bodies, now: datetime, statement: str, *args: object
    ) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *args)
        return rows

    async def store(self, connection: Connection, bodies: Bodies, now: datetime) -> None:
        pass

    async def add(self, bodies: Bodies, now: datetime) -> None:
        if not bodies:
            return
        await self._store.put(bodies, now)
        if self._pinning is None:
            connection = await self._pins.enter_async_context(self._pool.acquire())
            await self._pins.enter_async_context(connection.transaction())
            self._pinning = connection
        body_ids = {body_id for body_id, _ in bodies}
        if await pin(self._pinning, list(body_ids)) != body_ids:
            raise BodyGone("a body waited too long for its first reference and is being collected")


class _Sharing(Sharing):
    def __init__(self, alive: set[UUID]) -> None:
        self._alive = alive

    async def alive(self, connection: Connection) -> set[UUID]:
        return self._alive
