"""STORE: changes of flags, in an operation that locks the folder's row (RFC 3501 6.4.6)."""

from mailkit.process.clock import Clock
from mailstore import metrics
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.uids import pack, pack_masks, split
from mailstore.storage.operations import Operations
from mailstore_api.wire import Stored, StoreQuestion

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
            try:
                keywords, mask = mask_of(folder.keywords, question.flags, grow=question.mode != "remove")
            except TooManyKeywords:
                return Stored("limit")
            await operation.folders.keep_keywords(folder, keywords)
            keep, add = {"replace": (0, mask), "add": (_ALL, mask), "remove": (_ALL & ~mask, 0)}[question.mode]
            modseq = await operation.messages.store(folder_id, bounds, keep, add)
            uids, masks = await operation.messages.flags(folder_id, bounds)
            answer = Stored("ok", modseq or folder.highest_modseq, pack(uids), pack_masks(masks), keywords)
            if modseq is not None:
                await operation.notify()
            await operation.remember(answer)
        metrics.CHANGES.labels("flags").inc(len(uids))
        return answer
