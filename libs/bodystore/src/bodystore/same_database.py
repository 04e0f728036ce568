"""Bodies in the caller's own database: written, pinned and noted in the caller's transaction."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from uuid import UUID

import asyncpg

from bodystore.chunks import Bodies
from bodystore.objects import Objects
from bodystore.store import BodyStore, Entering, Sharing, erase, note, pin, put_arguments, queries
from mailkit.postgres.pool import Connection

#: Octets of bodies, of up to SMALL octets each, that stay in memory after `insert`; the oldest are dropped first.
FRESH = 8 * 1024 * 1024
SMALL = 32 * 1024

_WITH = re.compile(r"^with ", re.M)
_PARAMETER = re.compile(r"\$(\d+)")


class SameDatabase(BodyStore):
    """Bodies that the caller's transaction stores itself: with the first reference, or not at all."""

    def __init__(self, pool: asyncpg.Pool, objects: Objects | None = None) -> None:
        super().__init__(pool, objects)
        self._fresh = _Fresh()

    @asynccontextmanager
    async def entering(self, bodies: Bodies, now: datetime) -> AsyncIterator[Entering]:
        yield _Entering(self._fresh)

    @asynccontextmanager
    async def sharing(self, body_ids: Sequence[UUID]) -> AsyncIterator[Sharing]:
        yield _Sharing(body_ids)

    async def leaving(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        await note(connection, body_ids, now)

    async def erasing(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        await erase(connection, body_ids, now)

    async def read_many(self, body_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        found = self._fresh.find(body_ids)
        return found | await super().read_many([body_id for body_id in body_ids if body_id not in found])


class _Entering(Entering):
    def __init__(self, fresh: "_Fresh") -> None:
        self._fresh = fresh

    async def insert(
        self, connection: Connection, bodies: Bodies, now: datetime, statement: str, *args: object
    ) -> list[asyncpg.Record]:
        together = _with_put(statement, len(args))
        rows: list[asyncpg.Record] = await connection.fetch(together, *args, *await put_arguments(bodies, now))
        self._fresh.keep(bodies)
        return rows

    async def store(self, connection: Connection, bodies: Bodies, now: datetime) -> None:
        if bodies:
            await connection.execute(queries.put, *await put_arguments(bodies, now))

    async def add(self, bodies: Bodies, now: datetime) -> None:
        pass


class _Sharing(Sharing):
    def __init__(self, body_ids: Sequence[UUID]) -> None:
        self._body_ids = body_ids

    async def alive(self, connection: Connection) -> set[UUID]:
        return await pin(connection, self._body_ids)


class _Fresh:
    """Small bodies just stored: most mail is delivered within a second, and its body is then not read back."""

    def __init__(self) -> None:
        self._bodies: dict[UUID, bytes] = {}
        self._size = 0

    def keep(self, bodies: Bodies) -> None:
        """Keep the small ones of `bodies`, and drop the oldest above FRESH octets."""
        for body_id, data in bodies:
            if len(data) <= SMALL and body_id not in self._bodies:
                self._bodies[body_id] = data
                self._size += len(data)
        while self._size > FRESH:
            self._size -= len(self._bodies.pop(next(iter(self._bodies))))

    def find(self, body_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return those that are in memory."""
        return {body_id: self._bodies[body_id] for body_id in body_ids if body_id in self._bodies}


@cache
def _with_put(statement: str, count: int) -> str:
    """Insert the parts of `put` after the first "with" of `statement`, which is not changed otherwise.

    The parameters of `put` are numbered after the `count` of the statement.
    """
    before, after = _WITH.split(statement, maxsplit=1)
    put = _WITH.split(queries.put, maxsplit=1)[1].removesuffix("\nselect")
    return f"{before}with {_PARAMETER.sub(lambda match: f'${int(match[1]) + count}', put)}, {after}"
