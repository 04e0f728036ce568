"""Permanent removal of a mailbox: a tombstone first, then its contents, in slices. A repeated call completes it."""

from uuid import UUID

from bodystore import BodyStore
from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.storage.purge import Purges

#: Limit of the messages removed by one transaction.
SLICE = 1000


class Purger:
    """Removal of mailboxes."""

    def __init__(self, purges: Purges, bodies: BodyStore, clock: Clock) -> None:
        self._purges = purges
        self._bodies = bodies
        self._clock = clock

    async def purge(self, mailbox_id: UUID) -> int:
        """Purge a mailbox; return the number of messages removed. Late deliveries are answered `gone` from the first step on."""
        removed = 0
        await self._purges.mark(mailbox_id, self._clock.now())
        while True:
            async with self._purges.slice(mailbox_id) as slice_:
                body_ids = await slice_.take_messages(SLICE)
                recoverable = [] if body_ids else await slice_.take_recoverable(SLICE)
                await slice_.release_bodies(self._bodies, body_ids or recoverable, self._clock.now())
                if not body_ids and not recoverable:
                    await slice_.remove_rest()
                    await slice_.events.add_count("purged", "operator", removed, self._clock.now())
                    slice_.notify()
                    return removed
            removed += len(body_ids)
            metrics.CHANGES.labels("purged").inc(len(body_ids))
