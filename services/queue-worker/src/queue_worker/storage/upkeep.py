"""Measurements of the queue, and the references from its messages to bodies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries

queries = Queries("queue_worker.storage", "upkeep.sql")


@dataclass(frozen=True, slots=True)
class Depth:
    """Recipients of one kind (local, remote) in one state. `estimate`: of this kind, by the last vacuum's count."""

    kind: str
    state: str
    recipients: int
    estimate: int


class Upkeep:
    """The statements of `upkeep.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def oldest(self) -> UUID | None:
        """Return the id of the oldest message under way."""
        found: UUID | None = await self._pool.fetchval(queries.oldest)
        return found

    async def oldest_local(self) -> datetime | None:
        """Return the earliest due time of a recipient with a local mailbox."""
        found: datetime | None = await self._pool.fetchval(queries.oldest_local)
        return found

    async def depth(self, most: int) -> list[Depth]:
        """Count recipients by kind and state, up to `most` of each kind."""
        return [Depth(**dict(row)) for row in await self._pool.fetch(queries.depth, most)]

    async def referenced(self, body_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of `body_ids` that a message under way refers to."""
        return {row["body_id"] for row in await self._pool.fetch(queries.referenced, list(body_ids))}
