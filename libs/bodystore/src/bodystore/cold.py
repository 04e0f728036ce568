"""Reading bodies that are in packs: the stored chunks, from memory or by ranges of the objects (docs/decisions/0138)."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from bodystore.objects import Objects
from bodystore.pack import Packed, lengths_of
from mailkit.errors import ConfigError, Unavailable
from mailkit.postgres.pool import Queries
from mailkit.process.metrics import from_zero

#: Octets of stored chunks that stay in memory after they were read; the least recently used are dropped first.
MEMORY = 16 * 1024 * 1024
#: Objects that one question reads at a time, so that a long one leaves requests to the others.
EACH = 4

READ = from_zero(
    Counter(
        "postrider_cold_chunks_total",
        "Chunks of bodies in packs that were read, by source: memory, objects",
        ["source"],
    ),
    ("memory", "objects"),
)

queries = Queries("bodystore", "packs.sql")


class Cold:
    """Reader of the packs of one database. `objects` None: none is configured, and a question about a body in a pack fails."""

    def __init__(self, pool: asyncpg.Pool, objects: Objects | None) -> None:
        self._pool = pool
        self._objects = objects
        self._memory: OrderedDict[tuple[UUID, int], bytes] = OrderedDict()
        self._octets = 0

    async def chunks(self, body_ids: Sequence[UUID], first: int, last: int | None) -> dict[UUID, list[bytes]]:
        """Return the stored chunks `first` to `last` (None: the last one) of those bodies that are in packs.

        A body that is shorter has fewer of them. Raises Unavailable.
        """
        rows = await self._pool.fetch(queries.places, list(body_ids))
        if not rows:
            return {}
        found: dict[UUID, list[bytes]] = {}
        wanted: dict[str, list[tuple[UUID, int, int, int]]] = {}
        for row in rows:
            place = Packed(row["body_id"], row["at"], lengths_of(row["lengths"]))
            end = len(place.lengths) if last is None else min(last + 1, len(place.lengths))
            found[place.body_id] = [b""] * max(end - first, 0)
            for n in range(first, end):
                known = self._known(place.body_id, n)
                if known is None:
                    start = place.at + sum(place.lengths[:n])
                    wanted.setdefault(name_of(row["pack"]), []).append((place.body_id, n, start, place.lengths[n]))
                else:
                    found[place.body_id][n - first] = known
        limit = asyncio.Semaphore(EACH)

        async def read(name: str, ranges: Sequence[tuple[UUID, int, int, int]]) -> None:
            async with limit:
                for body_id, n, octets in await self._read(name, ranges):
                    found[body_id][n - first] = octets

        await asyncio.gather(*[read(name, ranges) for name, ranges in wanted.items()])
        return found

    async def _read(self, name: str, ranges: Sequence[tuple[UUID, int, int, int]]) -> list[tuple[UUID, int, bytes]]:
        if self._objects is None:
            raise Unavailable("the body is in an object store, and POSTRIDER_OBJECTS_URL is not set")
        read = await self._objects.ranges(name, [each[2] for each in ranges], [each[3] for each in ranges])
        READ.labels("objects").inc(len(ranges))
        for (body_id, n, _, length), octets in zip(ranges, read, strict=True):
            if len(octets) != length:
                raise Unavailable(f"object {name} is cut")
            self._keep((body_id, n), octets)
        return [(body_id, n, octets) for (body_id, n, *_), octets in zip(ranges, read, strict=True)]

    def _known(self, body_id: UUID, n: int) -> bytes | None:
        octets = self._memory.get((body_id, n))
        if octets is not None:
            self._memory.move_to_end((body_id, n))
            READ.labels("memory").inc()
        return octets

    def _keep(self, key: tuple[UUID, int], octets: bytes) -> None:
        if key not in self._memory:
            self._memory[key] = octets
            self._octets += len(octets)
        while self._octets > MEMORY:
            self._octets -= len(self._memory.popitem(last=False)[1])


async def require_objects(pool: asyncpg.Pool, objects: Objects | None) -> None:
    """Check that an object store is configured if bodies are in one. Raises ConfigError."""
    if objects is None and await pool.fetchval(queries.any):
        raise ConfigError("bodies are in an object store: set POSTRIDER_OBJECTS_URL and the settings beside it")


def name_of(pack: UUID) -> str:
    """Return the name of a pack's object. Its last digits, which are random, come first: stores divide objects by name."""
    return f"{pack.hex[-2:]}/{pack}"
