"""Storage, reading and collection of bodies in Postgres. An S3-compatible store could have the same methods."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import asyncpg
import zstandard

from mailkit.errors import NotFound
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries

CHUNK = 256 * 1024
#: Octets above which bodies are compressed in a thread, so that the event loop is not blocked.
OFF_LOOP = 256 * 1024
#: Octets of bodies, of up to SMALL octets each, that stay in memory after `put_with`; the oldest are dropped first.
FRESH = 8 * 1024 * 1024
SMALL = 32 * 1024
#: Time after `put`, or after the loss of a reference, at which the collector checks a body.
REST = timedelta(hours=1)
#: Time after `put` within which its candidate is not checked yet: a reference lost in this time needs no further one.
WATCHED = REST / 2

_sql = Queries("bodystore", "bodies.sql")
_PARAMETER = re.compile(r"\$(\d+)")
_local = threading.local()  # a compressor, and a decompressor, may be used by one thread at a time


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3)
    made: zstandard.ZstdCompressor = _local.compressor
    return made


class BodyGone(NotFound):
    """The body does not exist (any more)."""

    slug = "body-gone"


class BodyStore:
    """The bodies of one database. `shared`: it is the caller's own database, so `put` can join the caller's transaction."""

    def __init__(self, pool: asyncpg.Pool, *, shared: bool = True) -> None:
        self._pool = pool
        self._fresh: dict[UUID, bytes] = {}
        self._fresh_size = 0
        self.shared = shared

    async def put(
        self, bodies: Sequence[tuple[UUID, bytes]], now: datetime, connection: Connection | None = None
    ) -> None:
        """Store `bodies`, each under its new id and with a collection candidate due in an hour.

        With `connection` (only where `shared`) this is part of the caller's transaction, and so is the first reference.
        Otherwise the bodies are durable on return, and the first reference is made inside `first_reference`.
        """
        if bodies:
            await (connection or self._pool).execute(_sql.put, *await _rows(bodies, now))

    async def put_with(
        self, bodies: Sequence[tuple[UUID, bytes]], now: datetime, connection: Connection, statement: str, *args: object
    ) -> list[asyncpg.Record]:
        """Run `put` and `statement`, which begins with "with", as one statement (only where `shared`); return its rows.

        This is one round trip, and atomic even outside a transaction.
        """
        found: list[asyncpg.Record] = await connection.fetch(_with_put(statement), *await _rows(bodies, now), *args)
        self._keep(bodies)
        return found

    def _keep(self, bodies: Sequence[tuple[UUID, bytes]]) -> None:
        """Keep small bodies in memory: most mail is delivered within a second, and its body is then not read back."""
        for body_id, data in bodies:
            if len(data) <= SMALL and body_id not in self._fresh:
                self._fresh[body_id] = data
                self._fresh_size += len(data)
        while self._fresh_size > FRESH:
            self._fresh_size -= len(self._fresh.pop(next(iter(self._fresh))))

    @asynccontextmanager
    async def first_reference(self, body_ids: Sequence[UUID]) -> AsyncIterator[None]:
        """Keep bodies that were put earlier from being marked while their first reference is committed inside this block.

        Raises BodyGone if the collector has already marked or deleted one of them, which must be put again. Not needed
        where `put` is part of the transaction that makes the reference.
        """
        async with self.pinned(body_ids) as alive:
            if not alive.issuperset(body_ids):
                raise BodyGone("a body waited too long for its first reference and is being collected")
            yield

    async def pin(self, body_ids: Sequence[UUID], connection: Connection) -> set[UUID]:
        """Return those of `body_ids` that may get another reference in the transaction of `connection`.

        They cannot be marked until it ends. The others are gone or being collected. Only where `shared`.
        """
        return {row["id"] for row in await connection.fetch(_sql.pin, sorted(set(body_ids)))}

    @asynccontextmanager
    async def pinned(self, body_ids: Sequence[UUID]) -> AsyncIterator[set[UUID]]:
        """Do the same as `pin` where the bodies are in another database; commit the references inside this block."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield await self.pin(body_ids, connection)

    async def sizes(self, body_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return the octets of each body; those that are gone are missing."""
        return {row["id"]: row["size"] for row in await self._pool.fetch(_sql.sizes, list(set(body_ids)))}

    async def read_heads(self, body_ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return the first chunk of each body, CHUNK octets or all of it: enough for most headers."""
        rows = await self._pool.fetch(_sql.heads, list(set(body_ids)))
        return dict(zip([row["body_id"] for row in rows], await _unpack_all(rows), strict=True))

    async def read(self, body_id: UUID) -> bytes:
        """Return one whole body. Raises BodyGone."""
        found = await self.read_many([body_id])
        if body_id not in found:
            raise BodyGone(f"body {body_id} is gone")
        return found[body_id]

    async def read_many(self, body_ids: Sequence[UUID], connection: Connection | None = None) -> dict[UUID, bytes]:
        """Return whole bodies by id; those that are gone are missing. At most one query, for all that are not in memory."""
        found = {body_id: self._fresh[body_id] for body_id in body_ids if body_id in self._fresh}
        if not (asked := {body_id for body_id in body_ids if body_id not in found}):
            return found
        rows = await (connection or self._pool).fetch(_sql.chunks, list(asked))
        parts: dict[UUID, list[bytes]] = {}
        for row, data in zip(rows, await _unpack_all(rows), strict=True):
            parts.setdefault(row["body_id"], []).append(data)
        return found | {body_id: data[0] if len(data) == 1 else b"".join(data) for body_id, data in parts.items()}

    async def read_span(self, body_id: UUID, offset: int, length: int) -> bytes:
        """Return `length` octets from `offset`; only the chunks that hold them are read. Raises BodyGone."""
        if length <= 0:
            return b""
        first, last = offset // CHUNK, (offset + length - 1) // CHUNK
        rows = await self._pool.fetch(_sql.span, body_id, first, last)
        if not rows:
            raise BodyGone(f"body {body_id} is gone")
        data = b"".join(await _unpack_all(rows))
        start = offset - first * CHUNK
        return data[start : start + length]

    async def note_unreferenced(
        self, body_ids: Sequence[UUID], now: datetime, connection: Connection | None = None
    ) -> None:
        """Add candidates for `body_ids`, which lose a reference in the transaction of `connection` or right after this call."""
        if body_ids:
            ids = list(body_ids)
            await (connection or self._pool).execute(_sql.note, [new_id() for _ in ids], ids, now + REST)

    # -- for the collector (in queue-worker, one at a time)

    async def due_candidates(self, now: datetime, most: int) -> list[tuple[UUID, UUID]]:
        """Return (row id, body id) of at most `most` candidates that are due, oldest first."""
        return [(row["id"], row["body_id"]) for row in await self._pool.fetch(_sql.due_candidates, now, most)]

    async def mark(self, body_ids: Sequence[UUID], now: datetime) -> list[UUID]:
        """Mark bodies at `now` for deletion, after which a first reference to them fails; return those that exist."""
        return [row["id"] for row in await self._pool.fetch(_sql.mark, list(body_ids), now)]

    async def unmark(self, body_ids: Sequence[UUID], marked: datetime) -> None:
        """Remove the marks made at `marked`, and only those."""
        await self._pool.execute(_sql.unmark, list(body_ids), marked)

    async def delete(self, body_ids: Sequence[UUID], marked: datetime) -> int:
        """Delete the bodies that still have the mark made at `marked`, so that a delayed collector deletes nothing."""
        return len(await self._pool.fetch(_sql.delete, list(body_ids), marked))

    async def clear(self, candidate_ids: Sequence[UUID]) -> None:
        """Delete the candidate rows that were read, and only those."""
        await self._pool.execute(_sql.clear, list(candidate_ids))


@cache
def _with_put(statement: str) -> str:
    """Append `statement` to the parts of `put`. Its parameters follow put's eight; none of its parts may be named b, k or c."""
    parts = re.split("^with ", statement, maxsplit=1, flags=re.M)[1]
    return f"{_sql.put.removesuffix('select')}, {_PARAMETER.sub(lambda match: f'${int(match[1]) + 8}', parts)}"


async def _rows(bodies: Sequence[tuple[UUID, bytes]], now: datetime) -> tuple[object, ...]:
    """Return the parameters of `put`."""
    total = sum(len(data) for _, data in bodies)
    packed = await asyncio.to_thread(_pack, bodies) if total > OFF_LOOP else _pack(bodies)
    ids = [body_id for body_id, _ in bodies]
    return ids, [len(data) for _, data in bodies], *packed, [new_id() for _ in ids], now, now + REST


def _pack(bodies: Sequence[tuple[UUID, bytes]]) -> tuple[list[UUID], list[int], list[bytes]]:
    """Return (body ids, chunk numbers, chunk bytes) of all chunks."""
    owners: list[UUID] = []
    numbers: list[int] = []
    chunks: list[bytes] = []
    compressor = _compressor()
    for body_id, data in bodies:
        for number, start in enumerate(range(0, len(data) or 1, CHUNK)):
            piece = data[start : start + CHUNK]
            small = compressor.compress(piece)
            owners.append(body_id)
            numbers.append(number)
            chunks.append(b"\x01" + small if len(small) < len(piece) else b"\x00" + piece)
    return owners, numbers, chunks


async def _unpack_all(rows: Sequence[asyncpg.Record]) -> list[bytes]:
    if sum(len(row["data"]) for row in rows) > OFF_LOOP:
        return await asyncio.to_thread(lambda: [_unpack(row["data"]) for row in rows])
    return [_unpack(row["data"]) for row in rows]


def _unpack(data: bytes) -> bytes:
    if data[0] != 1:
        return data[1:]
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    piece: bytes = _local.decompressor.decompress(memoryview(data)[1:], max_output_size=CHUNK)
    return piece
