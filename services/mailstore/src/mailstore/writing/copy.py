"""COPY and MOVE: the same body under new UIDs, all messages or none, in one transaction (RFC 3501 6.4.7, RFC 6851)."""

from array import array
from datetime import datetime

from mailkit.errors import NoSpace
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.model.keywords import TooManyKeywords, carry
from mailstore.model.quota import Charge, Quota
from mailstore.model.uids import Bounds, pack, split
from mailstore.storage.folders import Folder
from mailstore.storage.messages import Totals
from mailstore.storage.operations import MailboxTransaction, Operations
from mailstore.writing.quota_warning import QuotaWarner
from mailstore_api.wire import Copied, CopyQuestion

#: Messages copied or moved by one statement.
BATCH = 1000
#: Special uses of folders whose new messages are events of the trace (docs/decisions/0081).
TRACED = ("\\Junk", "\\Trash")


class Copier:
    """COPY and MOVE within one mailbox."""

    def __init__(self, operations: Operations, clock: Clock, disk: Disk, charge: Charge, warner: QuotaWarner) -> None:
        self._operations = operations
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._warner = warner

    async def copy(self, question: CopyQuestion) -> Copied:
        """Copy or move the messages of `ranges` that exist. A full disk allows only moves (to the trash; decision 12)."""
        if self._disk.is_full() and not question.move:
            return Copied("no_space")
        bounds = split(question.ranges)
        try:
            async with self._operations.operation(
                question.mailbox_id, question.operation_id, Copied, self._clock.now()
            ) as operation:
                if operation.answered is not None:
                    return operation.answered
                wanted = await operation.folders.named(question.target)
                if wanted is None:
                    return Copied("trycreate")
                folders = {}
                for folder_id in sorted({question.folder_id, wanted.folder_id}):
                    folder = await operation.folders.lock(folder_id)
                    if folder is None:
                        return Copied("gone")
                    folders[folder_id] = folder
                source, target = folders[question.folder_id], folders[wanted.folder_id]
                totals = await operation.messages.totals(source.folder_id, bounds)
                if not totals.messages:
                    return Copied("ok", target.uidvalidity)
                account = operation.mailbox.account(self._charge)
                account.learn(Quota(question.quota_limit, question.limit_version))
                lacks = "" if question.move else account.lacks(totals.octets, totals.messages)
                if lacks:
                    metrics.OVER_LIMIT.labels("copy", lacks).inc()
                    return Copied("overquota")
                # the expunge of a move subtracts its octets again
                if not question.move:
                    account.take(totals.octets, totals.messages)
                    self._warner.see(question.mailbox_id, account)
                await operation.add_usage(totals.octets, account.quota, rearmed=account.rearmed)
                now = self._clock.now()
                answer = await copy_messages(operation, source, target, bounds, totals, now, move=question.move)
                operation.notify()
                await operation.remember(answer)
        except NoSpace:
            return Copied("no_space")
        except TooManyKeywords:
            return Copied("overquota")
        metrics.CHANGES.labels("moved" if question.move else "copied").inc(totals.messages)
        return answer


async def copy_messages(
    transaction: MailboxTransaction,
    source: Folder,
    target: Folder,
    bounds: Bounds,
    totals: Totals,
    now: datetime,
    *,
    move: bool,
) -> Copied:
    """Copy messages to `target` with their flags and keywords; the caller has locked both folders and adds the usage.

    `now` is their save date. With `move` they are removed from `source`, after which their bodies are still referenced. Copies
    BATCH messages at a time, under UIDs allocated together. Raises TooManyKeywords.
    """
    folders, messages = transaction.folders, transaction.messages
    keywords, _ = carry(source.keywords, target.keywords, [totals.flags])
    await folders.keep_keywords(target, keywords)
    given = await folders.allocate(target.folder_id, totals.messages, totals.unseen, totals.octets)
    left = await folders.new_modseq(source.folder_id) if move else 0
    uids = array("I")
    # the flags are those of before the first copy, so no copy is copied again
    async for old, old_masks in messages.flags_in_batches(source.folder_id, bounds, BATCH):
        first = given.first_uid + len(uids)
        _, masks = carry(source.keywords, keywords, old_masks)
        new = list(range(first, first + len(old)))
        body_ids = await messages.copy(source.folder_id, target.folder_id, old, new, given.modseq, masks, now)
        if target.special_use in TRACED:
            await transaction.events.add("moved" if move else "copied", target.name, "imap", body_ids, now)
        if move:
            await messages.expunge(source.folder_id, old, left, now)
        uids.extend(old)
    new_uids = range(given.first_uid, given.first_uid + len(uids))
    return Copied("ok", given.uidvalidity, uids.tobytes(), pack(new_uids), given.modseq)
