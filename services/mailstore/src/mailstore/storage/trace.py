"""The trace of messages in mailboxes: when each was filed and first fetched, and what happened to it since."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated

queries = Queries("mailstore.storage", "trace.sql")

#: Most hand-overs of which a look tells, and most events of each mailbox that it goes through.
MOST_FILED = 2000
LOOKED = 20_000

#: A message's body, its mailbox, when it was fetched, and by which protocol.
Fetch = tuple[UUID, UUID, datetime, str]


class MailboxTraces:
    """The statements of `trace.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def note_fetched(self, fetches: Sequence[Fetch]) -> None:
        """Insert first fetches; of what was fetched before nothing changes."""
        async with translated():
            await self._pool.execute(queries.note_fetched, *zip(*fetches, strict=True))

    async def of_messages(self, queue_ids: Sequence[UUID]) -> list[asyncpg.Record]:
        """Return the events of the messages `queue_ids`, in order."""
        async with translated():
            return await self._pool.fetch(queries.of_messages, queue_ids, min(queue_ids), MOST_FILED, LOOKED)

    async def of_mailbox(self, mailbox_id: UUID, low: UUID, high: UUID, limit: int) -> list[asyncpg.Record]:
        """Return the mailbox's events with ids between `low` and `high`, the latest first."""
        async with translated():
            return await self._pool.fetch(queries.of_mailbox, mailbox_id, low, high, limit)
