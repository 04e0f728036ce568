"""The port of the body store, and what its two kinds have in common: reading, `put`, and the collector's methods."""

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bodystore.chunks import CHUNK, Bodies, pack, unpack
from bodystore.cold import Cold
from bodystore.objects import Objects
from mailkit.errors import NotFound
from mailkit.ids import new_ids
from mailkit.postgres.pool import Connection, Queries

#: Time after `put`, or after the loss of a reference, at which the collector checks a body.
REST = timedelta(hours=1)
#: Time after `put` within which its candidate is not checked yet: a reference lost in this time needs no further one.
WATCHED = REST / 2

queries = Queries("bodystore", "bodies.sql")


class BodyGone(NotFound):
    """The body does not exist (any more)."""

    slug = "body-gone"


class Entering(ABC):
    """New bodies, while the caller's transaction makes their first references."""

    @abstractmethod
    async def insert(
        self, connection: Connection, bodies: Bodies, now: datetime, statement: str, *args: object
    ) -> list[asyncpg.Record]:
        """Run `statement`, which makes the first references to `bodies`, and return its rows.

        One round trip, and whole or not at all even outside a transaction. `statement` begins with "with" (not
        "with recursive"), after comments; its parameters are `args`, and none of its parts is named b, k or c.
        """

    @abstractmethod
    async def store(self, connection: Connection, bodies: Bodies, now: datetime) -> None:
        """Have `bodies` stored by the time at which the transaction of `connection`, which refers to them, is committed."""

    @abstractmethod
    async def add(self, bodies: Bodies, now: datetime) -> None:
        """Announce further bodies, before the caller's transaction refers to them. Raises BodyGone."""


class Sharing(ABC):
    """Bodies that have references, while the caller's transaction makes others."""

    @abstractmethod
    async def alive(self, connection: Connection) -> set[UUID]:
        """Return those bodies that may get another reference in the transaction of `connection`; the collector waits for its end.

        The others are gone or being collected.
        """


class BodyStore(ABC):
    """The bodies of one database, each under the id that its writer gave it.

    What holds for every kind, also for one whose chunks are elsewhere than its rows in `body` and `candidate`:

    - `entering`: if the caller's transaction is committed, the bodies that it refers to are durable, and the collector
      finds these references. Bodies that got no reference are collected, an hour later at the earliest.
    - `sharing`: a body that is `alive` stays while the references made to it inside the block exist.
    - `leaving`: if the caller's transaction is committed, the collector checks these bodies an hour later.
    - `read`, `read_many`, `read_heads`, `read_span`: octets as they were put, also of a body that is being collected.
    - `mark` to `delete`: a body that was marked gets no reference, and one that is `alive` is marked after that block only.
    """

    def __init__(self, pool: asyncpg.Pool, objects: Objects | None = None) -> None:
        self._pool = pool
        self._cold = Cold(pool, objects)

    @abstractmethod
    def entering(self, bodies: Bodies, now: datetime) -> AbstractAsyncContextManager[Entering]:
        """Return a block around the caller's transaction, which makes the first references to `bodies` or to some of them.

        Entering it raises BodyGone if the collector has taken one of them already.
        """

    @abstractmethod
    def sharing(self, body_ids: Sequence[UUID]) -> AbstractAsyncContextManager[Sharing]:
        """Return a block around the caller's transaction, which makes further references to bodies."""

    @abstractmethod
    async def leaving(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        """Add candidates for bodies that lose a reference in the transaction of `connection`, before it is committed."""

    @abstractmethod
    async def erasing(self, connection: Connection, body_ids: Sequence[UUID], now: datetime) -> None:
        """Have these bodies, which lose their last references in the transaction of `connection`, leave the object store too.

        Their packs are rewritten once the collector has deleted them, and the old objects deleted at once.
        """

    async def put(self, bodies: Bodies, now: datetime) -> None:
        """Store `bodies`, each with a candidate due in an hour; they are durable on return, and have no reference yet."""
        if bodies:
            await self._pool.execute(queries.put, *await put_arguments(bodies, now))

    async def sizes(self, body_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return the octets of each body; those that are gone are missing."""
        return {row["id"]: row["size"] for row in await self._pool.fetch(queries.sizes, list(set(body_ids)))}

    async def read_heads(self, body_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return the first chunk of each body, CHUNK octets or all of it: enough for most headers."""
        rows = await self._pool.fetch(queries.heads, list(set(body_ids)))
        heads = dict(zip([row["body_id"] for row in rows], await unpack([row["data"] for row in rows]), strict=True))
        return {body_id: data[0] for body_id, data in (await self._packed(body_ids, heads, last=0)).items()} | heads

    async def read(self, body_id: UUID) -> bytes:
        """Return one whole body. Raises BodyGone."""
        found = await self.read_many([body_id])
        if body_id not in found:
            raise BodyGone(f"body {body_id} is gone")
        return found[body_id]

    async def read_many(self, body_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return whole bodies by id; those that are gone are missing. At most one query, unless some are in packs."""
        if not body_ids:
            return {}
        rows = await self._pool.fetch(queries.chunks, list(set(body_ids)))
        parts: dict[UUID, list[bytes]] = {}
        for row, data in zip(rows, await unpack([row["data"] for row in rows]), strict=True):
            parts.setdefault(row["body_id"], []).append(data)
        parts |= await self._packed(body_ids, parts)
        return {body_id: data[0] if len(data) == 1 else b"".join(data) for body_id, data in parts.items()}

    async def read_span(self, body_id: UUID, offset: int, length: int) -> bytes:
        """Return `length` octets from `offset`; only the chunks that hold them are read. Raises BodyGone."""
        if length <= 0:
            return b""
        first, last = offset // CHUNK, (offset + length - 1) // CHUNK
        rows = await self._pool.fetch(queries.span, body_id, first, last)
        pieces = await unpack([row["data"] for row in rows])
        if not pieces:
            pieces = (await self._packed([body_id], {}, first=first, last=last)).get(body_id, [])
        if not pieces:
            raise BodyGone(f"body {body_id} is gone")
        data = b"".join(pieces)
        start = offset - first * CHUNK
        return data[start : start + length]

    async def _packed(
        self, body_ids: Sequence[UUID], found: Container[UUID], *, first: int = 0, last: int | None = None
    ) -> dict[UUID, list[bytes]]:
        """Return the chunks of those bodies that were not `found` in the table, and are in packs.

        A body is moved in one transaction, so one that is not found there has left it before this question.
        """
        missing = [body_id for body_id in set(body_ids) if body_id not in found]
        stored = await self._cold.chunks(missing, first, last) if missing else {}
        return {body_id: await unpack(chunks) for body_id, chunks in stored.items()}

    # -- for the check (in mailstore)

    async def older(self, after: UUID, before: datetime, most: int) -> list[UUID]:
        """Return at most `most` bodies with ids above `after`, in order, that were stored before a time."""
        return [row["id"] for row in await self._pool.fetch(queries.older, after, before, most)]

    async def candidates_of(self, body_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the bodies that the collector is going to check; reads all candidates, which are those of an hour."""
        rows = await self._pool.fetch(queries.candidates_of, list(body_ids))
        return {row["body_id"] for row in rows}

    async def note(self, body_ids: Sequence[UUID], now: datetime) -> None:
        """Have the collector check these bodies an hour later."""
        await note(self._pool, body_ids, now)

    # -- for the collector (in queue-worker, one at a time)

    async def due_candidates(self, now: datetime, most: int) -> list[tuple[UUID, UUID]]:
        """Return (row id, body id) of at most `most` candidates that are due, oldest first."""
        return [(row["id"], row["body_id"]) for row in await self._pool.fetch(queries.due_candidates, now, most)]

    async def mark(self, body_ids: Sequence[UUID], now: datetime) -> list[UUID]:
        """Mark bodies at `now` for deletion, after which a first reference to them fails; return those that exist."""
        return [row["id"] for row in await self._pool.fetch(queries.mark, list(body_ids), now)]

    async def unmark(self, body_ids: Sequence[UUID], marked: datetime) -> None:
        """Remove the marks made at `marked`, and only those."""
        await self._pool.execute(queries.unmark, list(body_ids), marked)

    async def delete(self, body_ids: Sequence[UUID], marked: datetime) -> int:
        """Delete the bodies that still have the mark made at `marked`, so that a delayed collector deletes nothing."""
        async with self._pool.acquire() as connection, connection.transaction():
            # a body that is being moved is waited for: the second statement sees where it is then
            await connection.execute(queries.hold, sorted(body_ids), marked)
            return len(await connection.fetch(queries.delete, list(body_ids), marked))

    async def clear(self, candidate_ids: Sequence[UUID]) -> None:
        """Delete the candidate rows that were read, and only those."""
        await self._pool.execute(queries.clear, list(candidate_ids))


async def put_arguments(bodies: Bodies, now: datetime) -> tuple[object, ...]:
    """Return the arguments of the query `put`."""
    ids = [body_id for body_id, _ in bodies]
    return ids, [len(data) for _, data in bodies], *await pack(bodies), new_ids(len(ids)), now, now + REST


async def pin(connection: Connection, body_ids: Sequence[UUID]) -> set[UUID]:
    """Return those bodies that may get a reference; they cannot be marked until the transaction of `connection` ends."""
    return {row["id"] for row in await connection.fetch(queries.pin, sorted(set(body_ids)))}


async def note(database: asyncpg.Pool | Connection, body_ids: Sequence[UUID], now: datetime) -> None:
    """Add a candidate, due in an hour, for each of the bodies."""
    if body_ids:
        ids = list(body_ids)
        await database.execute(queries.note, new_ids(len(ids)), ids, now + REST)


async def erase(database: asyncpg.Pool | Connection, body_ids: Sequence[UUID], now: datetime) -> None:
    """Mark bodies as erased, and their packs as to be rewritten."""
    await database.execute(queries.erase, list(body_ids))
    # a statement of its own: it sees a move that the first one waited for
    await database.execute(queries.rewrite, list(body_ids), now)
