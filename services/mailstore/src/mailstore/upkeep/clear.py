"""Retention by folder: messages in folders for trash and junk are expunged after some days (docs/decisions/0121).

A round looks at a part of the folders, in the order of their keys, and the next one goes on from there.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailstore.storage.folders import Folder
from mailstore.storage.operations import MailboxTransaction
from mailstore.storage.retention import FolderKey, Retention

log = get_logger()

#: Folders that are looked at by one statement, and statements of a round.
PAGE = 1000
PAGES = 50
#: Messages expunged by one transaction, and transactions for a folder in a round: a large folder delays no other for long.
SLICE = 500
SLICES = 20

#: Expunges messages of a locked folder, and says by what (writing/expunge.py).
Remove = Callable[[MailboxTransaction, Folder, list[int], str], Awaitable[object]]

_START: FolderKey = (UUID(int=0), 0)


class Clearer:
    """Expunges messages that have been in a folder for junk or trash for `junk_days` or `trash_days`; 0: never."""

    def __init__(self, retention: Retention, remove: Remove, clock: Clock, junk_days: int, trash_days: int) -> None:
        self._retention = retention
        self._remove = remove
        self._clock = clock
        self._days = {"\\Junk": timedelta(days=junk_days), "\\Trash": timedelta(days=trash_days)}
        self._after = _START

    async def round(self, lease: Singleton) -> None:
        """Look at PAGES times PAGE folders. A mailbox that another session has locked has its turn in a later round."""
        if not any(self._days.values()):
            return
        now = self._clock.now()
        removed = 0
        # with 0 days, nothing is older than the limit
        junk, trash = (now - days if days else now - timedelta(days=36500) for days in self._days.values())
        for _ in range(PAGES):
            if not await lease.mine():
                break
            folders = await self._retention.cleared_folders(self._after, PAGE, junk, trash)
            for key, due in folders:
                if due:
                    removed += await self._clear(lease, key)
            self._after = folders[-1][0] if len(folders) == PAGE else _START
            if self._after == _START:
                break
        if removed:
            log.info("maintenance", step="clear", removed=removed)

    async def _clear(self, lease: Singleton, key: FolderKey) -> int:
        removed = 0
        for _ in range(SLICES):
            if not await lease.mine():
                break
            async with self._retention.of_mailbox(key[0]) as transaction:
                folder = await transaction.folders.lock(key[1]) if transaction else None
                days = self._days.get(folder.special_use) if folder else None
                if transaction is None or folder is None or not days:
                    break
                uids = await self._retention.first_before(key, SLICE, self._clock.now() - days)
                if uids:
                    await self._remove(transaction, folder, uids, "retention")
            removed += len(uids)
            if len(uids) < SLICE:
                break
        return removed
