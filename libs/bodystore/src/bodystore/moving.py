"""Moving bodies from the database to packs, and keeping the packs dense (docs/decisions/0138).

An object is put, read back and compared, then the rows that refer to it are committed and the chunks dropped in the same
transaction. Interrupted anywhere, a body is in the database or in a pack, never in none; what is left is an object without
bodies, which `sweep` deletes. No step depends on being the only one: of two movers, one gets each body.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bodystore.cold import name_of, queries
from bodystore.objects import Objects
from bodystore.pack import Packed, contents, lengths_of, packed_lengths, write
from mailkit.errors import Unavailable
from mailkit.ids import id_floor, id_time, new_id
from mailkit.postgres.pool import Connection

#: Stored octets of a full pack, and most bodies in one.
PACK, MOST = 16 * 1024 * 1024, 10_000
#: Time after which bodies are moved although they do not fill a pack, counted from when they could be.
WAIT = timedelta(days=1)
#: Time that a move may take before what it left is deleted.
UNFINISHED = timedelta(days=1)
#: Time for which the object of a dead pack is kept at least, for readers that know its name.
READERS = timedelta(minutes=10)
#: Time after an erasure at which the collector has deleted the bodies, and packs are rewritten.
COLLECTED = timedelta(hours=2)
#: Packs that one compaction takes together, and most objects that one sweep deletes.
TOGETHER, SWEPT = 16, 100


@dataclass(frozen=True)
class Figures:
    """Packs, the stored octets of the bodies that were put in them, and those of live bodies."""

    packs: int
    octets: int
    live: int


class Mover:
    """Moves bodies older than `age`; objects of dead packs are kept for `keep`, the longest age of a backup to restore."""

    def __init__(self, pool: asyncpg.Pool, objects: Objects, *, age: timedelta, keep: timedelta) -> None:
        self._pool = pool
        self._objects = objects
        self._age = age
        self._keep = keep

    async def move(self, now: datetime) -> int:
        """Move the oldest bodies into one pack; return how many, 0 if none is due. Raises Unavailable."""
        due = now - self._age
        rows = await self._pool.fetch(queries.movable, id_floor(due.timestamp()), MOST)
        taken: list[UUID] = []
        octets = 0
        for row in rows:
            taken.append(row["body_id"])
            octets += row["octets"]
            if octets >= PACK:
                break
        full = octets >= PACK or len(taken) >= MOST
        if not taken or not (full or id_time(taken[0]) <= (due - WAIT).timestamp()):
            return 0
        stored: dict[UUID, list[bytes]] = {}
        for row in await self._pool.fetch(queries.stored, taken):
            stored.setdefault(row["body_id"], []).append(row["data"])
        pack, packed = await self._write(list(stored.items()), now)
        async with self._pool.acquire() as connection, connection.transaction():
            await _unfinished(connection, pack)
            alive = {row["id"] for row in await connection.fetch(queries.alive, sorted(stored))}
            entering = [each for each in packed if each.body_id in alive]
            moved = await connection.fetch(
                queries.enter,
                pack,
                [each.body_id for each in entering],
                [each.at for each in entering],
                [each.octets for each in entering],
                [packed_lengths(each.lengths) for each in entering],
            )
            await connection.execute(queries.finish, pack, _octets(packed), sum(row["octets"] for row in moved), now)
        return len(moved)

    async def compact(self, now: datetime) -> int:
        """Write the live bodies of sparse packs into one pack; return how many packs became dead. Raises Unavailable."""
        empty = [row["id"] for row in await self._pool.fetch(queries.empty, SWEPT)]
        ended = len(await self._pool.fetch(queries.end, empty, now)) if empty else 0
        old: list[UUID] = []
        octets = 0
        for row in await self._pool.fetch(queries.sparse, now - COLLECTED, TOGETHER):
            if not old or octets + row["live"] <= PACK:
                old.append(row["id"])
                octets += row["live"]
        if not old:
            return ended
        owner: dict[UUID, UUID] = {}
        bodies: list[tuple[UUID, list[bytes]]] = []
        for each in old:
            held = await self._pool.fetch(queries.held, each)
            if held:
                owner |= {row["body_id"]: each for row in held}
                bodies += await self._read(
                    each, [Packed(r["body_id"], r["at"], lengths_of(r["lengths"])) for r in held]
                )
        if not bodies:
            return ended + len(await self._pool.fetch(queries.end, old, now))
        pack, packed = await self._write(bodies, now)
        async with self._pool.acquire() as connection, connection.transaction():
            await _unfinished(connection, pack)
            await connection.fetch(queries.keep, sorted(owner))
            left = await connection.fetch(
                queries.change,
                pack,
                [each.body_id for each in packed],
                [owner[each.body_id] for each in packed],
                [each.at for each in packed],
            )
            for row in left:
                await connection.execute(queries.lessen, row["old"], row["octets"])
            await connection.execute(queries.finish, pack, _octets(packed), sum(row["octets"] for row in left), now)
            return ended + len(await connection.fetch(queries.end, old, now))

    async def sweep(self, now: datetime) -> int:
        """Delete objects that no restored database can refer to any more; return how many. Raises Unavailable."""
        rows = await self._pool.fetch(queries.removable, now - UNFINISHED, now - self._keep, now - READERS, SWEPT)
        ids = [row["id"] for row in rows]
        if ids:
            await self._pool.execute(queries.give_up, ids, now)
            await self._objects.delete([name_of(pack) for pack in ids])
            await self._pool.execute(queries.remove, ids)
        return len(ids)

    async def figures(self) -> Figures:
        """Return the sums over all packs."""
        row = await self._pool.fetchrow(queries.figures)
        assert row is not None
        return Figures(row["packs"], row["octets"], row["live"])

    async def _write(self, bodies: Sequence[tuple[UUID, Sequence[bytes]]], now: datetime) -> tuple[UUID, list[Packed]]:
        """Put a pack of `bodies`, read it back and compare; return its id, and where each body is."""
        octets, packed = write(bodies)
        pack = new_id()
        await self._pool.execute(queries.begin, pack, now)
        await self._objects.put(name_of(pack), octets)
        read = await self._objects.get(name_of(pack))
        if read != octets or contents(read) != packed:
            raise Unavailable(f"object {name_of(pack)} is not what was put")
        return pack, packed

    async def _read(self, pack: UUID, held: Sequence[Packed]) -> list[tuple[UUID, list[bytes]]]:
        """Return the stored chunks of the bodies `held` in a pack."""
        found: list[tuple[UUID, list[bytes]]] = []
        read = await self._objects.ranges(name_of(pack), [each.at for each in held], [each.octets for each in held])
        for each, octets in zip(held, read, strict=True):
            if len(octets) != each.octets:
                raise Unavailable(f"object {name_of(pack)} is cut")
            chunks, at = [], 0
            for length in each.lengths:
                chunks.append(octets[at : at + length])
                at += length
            found.append((each.body_id, chunks))
        return found


def _octets(packed: Sequence[Packed]) -> int:
    return sum([each.octets for each in packed])


async def _unfinished(connection: Connection, pack: UUID) -> None:
    """Hold the row of a pack that is being written. Raises Unavailable if `sweep` has given it up."""
    if not await connection.fetchval(queries.unfinished, pack):
        raise Unavailable(f"object {name_of(pack)} was written too slowly, and is given up")
