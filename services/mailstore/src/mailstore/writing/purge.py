"""Permanent removal of a mailbox: a tombstone first, then its contents, in slices. A repeated call completes it."""

from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.storage.store import notify, sql

SLICE = 1000


async def purge(pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, mailbox_id: UUID) -> int:
    """Purge a mailbox; return the number of messages removed. Late deliveries are answered `gone` from the first step on."""
    removed = 0
    async with translated():
        await pool.execute(sql.mark_purged, mailbox_id, clock.now())
        while True:
            async with pool.acquire() as connection, connection.transaction():
                await connection.fetch(sql.lock_mailboxes, [mailbox_id])
                rows = await connection.fetch(sql.purge_slice, mailbox_id, SLICE)
                await bodies.note_unreferenced(
                    [row["body_id"] for row in rows], clock.now(), connection if bodies.shared else None
                )
                if not rows:
                    await connection.execute(sql.purge_rest, mailbox_id)
                    await notify(connection, [mailbox_id])
                    return removed
            removed += len(rows)
            metrics.CHANGES.labels("purged").inc(len(rows))
