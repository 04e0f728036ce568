"""EXPUNGE: removal of messages, which leaves tombstones for sessions that still have them in view (RFC 3501 6.4.3)."""

from bodystore import BodyStore
from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.model.quota import Charge
from mailstore.model.uids import pack, split
from mailstore.storage.folders import Folder
from mailstore.storage.operations import MailboxTransaction, Operations
from mailstore_api.wire import DELETED, Expunged, ExpungeQuestion

#: Messages removed by one statement.
BATCH = 5000


class Expunger:
    """Removal of messages from folders.

    `kept`: they can be undeleted, within the quota that this is charged against; None: they cannot (docs/decisions/0120).
    """

    def __init__(self, operations: Operations, bodies: BodyStore, clock: Clock, kept: Charge | None = None) -> None:
        self._operations = operations
        self._bodies = bodies
        self._clock = clock
        self._kept = kept

    async def expunge(self, question: ExpungeQuestion) -> Expunged:
        """Remove the messages marked \\Deleted, all of them or those in the ranges."""
        folder_id = question.folder_id
        bounds = None if question.ranges is None else split(question.ranges)
        async with self._operations.operation(
            question.mailbox_id, question.operation_id, Expunged, self._clock.now()
        ) as operation:
            if operation.answered is not None:
                return operation.answered
            folder = await operation.folders.lock(folder_id)
            if folder is None:
                return Expunged("gone")
            if bounds is None:
                uids, masks = await operation.messages.deleted(folder_id)
            else:
                uids, masks = await operation.messages.flags(folder_id, bounds)
            deleted = [uid for uid, mask in zip(uids, masks, strict=True) if mask & DELETED]
            if not deleted:
                return Expunged("ok")
            _, modseq = await self.remove(operation, folder, deleted, "imap")
            return await operation.remember(Expunged("ok", pack(deleted), modseq))

    async def remove(
        self, transaction: MailboxTransaction, folder: Folder, uids: list[int], protocol: str
    ) -> tuple[int, int]:
        """Remove messages of a folder that the transaction has locked; return their number and the MODSEQ."""
        folder_id = folder.folder_id
        now = self._clock.now()
        modseq = await transaction.folders.new_modseq(folder_id)
        count = 0
        for start in range(0, len(uids), BATCH):
            batch = uids[start : start + BATCH]
            body_ids = await transaction.messages.expunge(folder_id, batch, modseq, now, self._kept, folder.name)
            if self._kept is None:
                await transaction.release_bodies(self._bodies, body_ids, now)
            await transaction.events.add("deleted", folder.name, protocol, body_ids, now)
            count += len(body_ids)
        transaction.notify()
        metrics.CHANGES.labels("expunged").inc(count)
        return count, modseq
