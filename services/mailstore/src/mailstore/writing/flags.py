"""STORE: changes of flags, in an operation that locks the folder's row (RFC 3501 6.4.6, RFC 7162 3.1.3)."""

from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.uids import pack, pack_masks, pack_modseqs, split
from mailstore.storage.folders import Folder, FolderRows
from mailstore.storage.operations import Operations
from mailstore_api.wire import ConditionallyStored, ConditionalStore, Stored, StoreQuestion

_ALL = (1 << 62) - 1


class FlagWriter:
    """Changes of flags in folders."""

    def __init__(self, operations: Operations, clock: Clock) -> None:
        self._operations = operations
        self._clock = clock

    async def store(self, question: StoreQuestion) -> Stored:
        """Change flags and return the messages' new masks. Messages whose flags do not change keep their MODSEQ."""
        folder_id, bounds = question.folder_id, split(question.ranges)
        async with self._operations.in_folder(
            question.mailbox_id, folder_id, question.operation_id, Stored, self._clock.now()
        ) as (operation, folder):
            if folder is None:
                return Stored("gone")
            if operation.answered is not None:
                return operation.answered
            if (change := await _change(operation.folders, folder, question)) is None:
                return Stored("limit")
            keywords, bits = change
            modseq = await operation.messages.store(folder_id, bounds, *bits)
            uids, masks = await operation.messages.flags(folder_id, bounds)
            answer = Stored("ok", modseq or folder.highest_modseq, pack(uids), pack_masks(masks), keywords)
            if modseq is not None:
                operation.notify()
            await operation.remember(answer)
        metrics.CHANGES.labels("flags").inc(len(uids))
        return answer

    async def store_unchanged(self, question: ConditionalStore) -> ConditionallyStored:
        """Change flags of the messages with a MODSEQ of `unchanged_since` at most; say which had a greater one."""
        folder_id, bounds = question.folder_id, split(question.ranges)
        async with self._operations.in_folder(
            question.mailbox_id, folder_id, question.operation_id, ConditionallyStored, self._clock.now()
        ) as (operation, folder):
            if folder is None:
                return ConditionallyStored("gone")
            if operation.answered is not None:
                return operation.answered
            if (change := await _change(operation.folders, folder, question)) is None:
                return ConditionallyStored("limit")
            keywords, bits = change
            unchanged_since = question.unchanged_since
            modified = await operation.messages.modified(folder_id, bounds, unchanged_since)
            modseq = await operation.messages.store(folder_id, bounds, *bits, unchanged_since)
            failed = set(modified)
            stored = [each for each in await operation.messages.states(folder_id, bounds) if each.uid not in failed]
            answer = ConditionallyStored(
                "ok",
                modseq or folder.highest_modseq,
                pack(each.uid for each in stored),
                pack_masks(each.flags for each in stored),
                keywords,
                pack_modseqs(each.modseq for each in stored),
                pack(modified),
            )
            if modseq is not None:
                operation.notify()
            await operation.remember(answer)
        metrics.CHANGES.labels("flags").inc(len(stored))
        return answer


async def _change(
    folders: FolderRows, folder: Folder, question: StoreQuestion | ConditionalStore
) -> tuple[list[str], tuple[int, int]] | None:
    """Keep the folder's new keywords; return all keywords, and the masks of flags to keep and to add. None: too many keywords."""
    try:
        keywords, mask = mask_of(folder.keywords, question.flags, grow=question.mode != "remove")
    except TooManyKeywords:
        return None
    await folders.keep_keywords(folder, keywords)
    return keywords, {"replace": (0, mask), "add": (_ALL, mask), "remove": (_ALL & ~mask, 0)}[question.mode]
