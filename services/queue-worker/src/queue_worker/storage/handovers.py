"""New messages with their recipients and bodies."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from bodystore import BodyStore, Entering
from mailkit.postgres.pool import Connection, Queries
from queue_worker.models import QueueEntry

queries = Queries("queue_worker.storage", "handovers.sql")


class Handovers:
    """The statement of `handovers.sql`, by itself."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore) -> None:
        self._pool = pool
        self._bodies = bodies

    async def insert(self, entries: Sequence[QueueEntry], now: datetime, lifetime: timedelta) -> set[UUID]:
        """Insert and commit `entries`; return the queue ids of those that are not repetitions."""
        async with self._bodies.entering(bodies_of(entries), now) as entering, self._pool.acquire() as connection:
            return await insert(connection, entering, entries, now, lifetime)


def bodies_of(entries: Iterable[QueueEntry]) -> list[tuple[UUID, bytes]]:
    """Return the id and the octets of each entry's body."""
    return [(e.body_id, e.body) for e in entries]


async def insert(
    connection: Connection, entering: Entering, entries: Sequence[QueueEntry], now: datetime, lifetime: timedelta
) -> set[UUID]:
    """Insert `entries`, with their bodies where those are in the same database, in one statement; return the new queue ids.

    The body of a repeated hand-over gets no reference; the collector finds it by its candidate row.
    """
    if not entries:
        return set()
    recipients = [(e.queue_id, *msgspec.structs.astuple(r)) for e in entries for r in e.recipients]
    args = (
        [e.queue_id for e in entries],
        [e.mail_from for e in entries],
        [e.body_id for e in entries],
        [len(e.body) for e in entries],
        [e.account for e in entries],
        [e.client_address for e in entries],
        [e.eight_bit for e in entries],
        [e.smtputf8 for e in entries],
        [e.bounce for e in entries],
        [e.sender_mailbox for e in entries],
        [e.sender_limit for e in entries],
        [e.sender_limit_version for e in entries],
        now,
        now + lifetime,
        *(list(column) for column in zip(*recipients, strict=True)),
    )
    rows = await entering.insert(connection, bodies_of(entries), now, queries.enqueue, *args)
    return {row["id"] for row in rows}
