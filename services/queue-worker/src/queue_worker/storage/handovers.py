"""New messages with their recipients and bodies."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from bodystore import BodyStore, Entering
from mailkit.postgres.pool import Connection, Queries
from queue_worker.models import QueueEntry
from queue_worker.storage.verdicts import as_text

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
    messages = [_message(entry) for entry in entries]
    recipients = [(e.queue_id, *msgspec.structs.astuple(r)) for e in entries for r in e.recipients]
    bodies, expires = bodies_of(entries), now + lifetime
    asked = [(e.queue_id, n, *msgspec.structs.astuple(a)) for e in entries for n, a in enumerate(e.asked)]
    traced = [(e.queue_id, e.traceparent) for e in entries if e.traceparent]
    leading = [(e.queue_id, e.sender_address) for e in entries if e.sender_address]
    async with connection.transaction() if asked or traced or leading else nullcontext():
        rows = await entering.insert(connection, bodies, now, queries.enqueue, messages, recipients, now, expires)
        new = {row["id"] for row in rows}
        if asked := [row for row in asked if row[0] in new]:
            await connection.execute(queries.note_asked, *zip(*asked, strict=True))
        if traced := [row for row in traced if row[0] in new]:
            await connection.execute(queries.note_traced, *zip(*traced, strict=True))
        if leading := [row for row in leading if row[0] in new]:
            await connection.execute(queries.note_leading, *zip(*leading, strict=True))
    return new


def _message(entry: QueueEntry) -> tuple[object, ...]:
    """Return `entry` as a row of the type queue.new_message_3."""
    came = entry.origin
    return (
        entry.queue_id,
        entry.mail_from,
        entry.body_id,
        len(entry.body),
        entry.account,
        entry.client_address,
        entry.eight_bit,
        entry.smtputf8,
        entry.bounce,
        entry.sender_mailbox,
        entry.sender_limit,
        entry.sender_limit_version,
        came.listener or None,
        came.tls or None,
        came.helo or None,
        came.by,
        came.account or None,
        datetime.fromtimestamp(came.granted_at, UTC) if came.granted_at else None,
        entry.header_id,
        entry.bounce_of,
        entry.stamp.folder,
        entry.stamp.flags,
        entry.stamp.dmarc_failed,
        as_text(entry.stamp.verdicts),
    )
