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
    """The number of recipients of one kind (local, remote) under way, and how many of them are claimed."""

    recipients: int
    claimed: int


class Upkeep:
    """The statements of `upkeep.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def oldest(self) -> UUID | None:
        """Return the id of the oldest message under way."""
        found: UUID | None = await self._pool.fetchval(queries.oldest)
        return found

    async def oldest_local(self, after: datetime) -> datetime | None:
        """Return the earliest due time after `after` of a recipient with a local mailbox."""
        found: datetime | None = await self._pool.fetchval(queries.oldest_local, after)
        return found

    async def depth(self, now: datetime, latest: datetime, most: int) -> dict[str, Depth]:
        """Return the depth by kind. The claimed are those whose lease ends up to `latest`, of the first `most` due then."""
        (total,) = await self._pool.fetch(queries.depth)
        claimed = {row["kind"]: row["recipients"] for row in await self._pool.fetch(queries.claimed, now, latest, most)}
        return {kind: Depth(total[kind], claimed[kind]) for kind in ("local", "remote")}

    async def referenced(self, body_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of `body_ids` that a message under way refers to."""
        return {row["body_id"] for row in await self._pool.fetch(queries.referenced, list(body_ids))}
