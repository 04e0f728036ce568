"""Undelete: expunged messages come back, under new UIDs, into their folder, INBOX or a chosen one (docs/decisions/0120).

A batch is one transaction that takes the messages from the recoverable ones, so none comes back twice or is lost.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from bodystore import BodyStore
from mailkit.errors import Conflict, NoSpace, NotFound
from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.mime import Rendered
from mailstore.model.folder_names import INBOX_ID
from mailstore.model.keywords import SYSTEM_BITS, TooManyKeywords, carry
from mailstore.model.quota import Charge
from mailstore.storage.folders import Folder
from mailstore.storage.new_messages import new_message
from mailstore.storage.operations import LockedTransaction, MailboxTransaction, Operations
from mailstore.storage.recoverable import Recoverable, Recoverables, Recovered
from mailstore.writing.quota_warning import QuotaWarner
from mailstore.writing.rendering import render_all
from mailstore_api.wire import DELETED, SEEN

#: Limits of a batch: messages looked at, and octets brought back unless it is one message.
MOST = 500
BATCH_BYTES = 8 * 1024 * 1024
#: Batches of a replica under way.
SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class UndeleteChoice:
    """Which messages come back, and whereto."""

    numbers: Sequence[int] | None = None
    """These, at most MOST; else all that the rest describes."""
    folder: str = ""
    """Only those of this folder."""
    newer: int | None = None
    """Only those deleted within this number of seconds."""
    to: str = ""
    """The folder to which they come; else the one that they were in, or if it is gone, one of its name, or INBOX."""
    after: int = 0
    """`following` of the answer before."""


@dataclass(frozen=True)
class Undeleted:
    """What one batch did. `following` is None after the last one; `lost`: messages whose bodies are not there any more."""

    restored: int = 0
    lost: int = 0
    following: int | None = None


class Undeleter:
    """Writer of messages that come back."""

    def __init__(
        self,
        operations: Operations,
        recoverables: Recoverables,
        bodies: BodyStore,
        clock: Clock,
        disk: Disk,
        charge: Charge,
        warner: QuotaWarner,
    ) -> None:
        self._operations = operations
        self._recoverables = recoverables
        self._bodies = bodies
        self._clock = clock
        self._disk = disk
        self._charge = charge
        self._warner = warner
        self._turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def undelete(self, mailbox_id: UUID, wanted: UndeleteChoice) -> Undeleted:
        """Bring one batch back, the first deleted first; all of it or nothing.

        Raises Conflict if it does not fit the quota, NotFound for a purged mailbox or a folder that does not exist, NoSpace.
        """
        if self._disk.is_full():
            raise NoSpace("the disk is full, so nothing can be undeleted")
        if wanted.numbers is not None:
            numbers = [number for number in wanted.numbers if number > wanted.after]
            seen = await self._recoverables.numbered(mailbox_id, numbers)
        else:
            seen = await self._recoverables.after(mailbox_id, wanted.after, MOST)
        chosen = [row for row in seen if self._is_wanted(row, wanted)]
        batch = _first(chosen)
        cut = len(batch) < len(chosen)
        more = cut or (wanted.numbers is None and len(seen) == MOST)
        following = (batch[-1] if cut else seen[-1]).number if more else None
        if not batch:
            return Undeleted(following=following)
        async with self._turns:
            bodies = await self._bodies.read_many([row.body_id for row in batch])
            views = await render_all(bodies)
            del bodies
            restored, lost = await self._restore(mailbox_id, [row.number for row in batch], views, wanted.to)
        metrics.CHANGES.labels("undeleted").inc(restored)
        return Undeleted(restored, lost, following)

    def _is_wanted(self, row: Recoverable, wanted: UndeleteChoice) -> bool:
        newer = wanted.newer is None or row.at >= self._clock.now() - timedelta(seconds=wanted.newer)
        return newer and wanted.folder in ("", row.folder)

    async def _restore(
        self, mailbox_id: UUID, numbers: Sequence[int], views: dict[UUID, Rendered], to: str
    ) -> tuple[int, int]:
        """Take messages and insert them; return how many came back, and how many have no body."""
        now = self._clock.now()
        async with translated(), self._operations.transaction(mailbox_id, now) as transaction:
            taken = await transaction.recoverable.take(numbers)
            alive = [row for row in taken if row.body_id in views]
            if lost := len(taken) - len(alive):
                metrics.LOST.inc(lost)
            account = transaction.mailbox.account(self._charge)
            octets = sum(row.size for row in alive)
            if lacks := account.lacks(octets, len(alive)):
                metrics.OVER_LIMIT.labels("undelete", lacks).inc()
                raise Conflict("the mailbox has no room for these messages; raise its quota, or choose fewer")
            placed = await self._placed(transaction, alive, to)
            for target, rows in placed.values():
                await self._insert(transaction, target, rows, views)
            account.take(octets, len(alive))
            await transaction.add_usage(octets, rearmed=account.rearmed)
            transaction.notify()
            self._warner.see(mailbox_id, account)
        return len(alive), lost

    async def _placed(
        self, transaction: MailboxTransaction, rows: Sequence[Recovered], to: str
    ) -> dict[int, tuple[Folder, list[tuple[Recovered, int]]]]:
        """Return by id the folders, which are locked, and the messages with masks that come to each."""
        ids = await transaction.folders.ids()
        known = set(ids.values())
        if to and to not in ids:
            raise NotFound("there is no such folder in this mailbox")
        where = [
            ids[to] if to else row.folder_id if row.folder_id in known else ids.get(row.folder, INBOX_ID)
            for row in rows
        ]
        folders: dict[int, Folder] = {}
        for folder_id in sorted({*where, *(row.folder_id for row in rows if row.folder_id in known)}):
            folder = await transaction.folders.lock(folder_id)
            assert folder is not None  # the mailbox's row is locked, so none is deleted
            folders[folder_id] = folder
        placed: dict[int, tuple[Folder, list[tuple[Recovered, int]]]] = {}
        for folder_id in sorted(set(where)):
            here = [row for row, target in zip(rows, where, strict=True) if target == folder_id]
            masks = await _masks(transaction, folders, folder_id, here)
            placed[folder_id] = folders[folder_id], list(zip(here, masks, strict=True))
        return placed

    async def _insert(
        self,
        transaction: LockedTransaction,
        target: Folder,
        rows: Sequence[tuple[Recovered, int]],
        views: dict[UUID, Rendered],
    ) -> None:
        now = self._clock.now()
        unseen = sum(1 for _, mask in rows if not mask & SEEN)
        given = await transaction.folders.allocate(
            target.folder_id, len(rows), unseen, sum(row.size for row, _ in rows)
        )
        await transaction.messages.insert(
            [
                new_message(
                    transaction.mailbox.mailbox_id,
                    target.folder_id,
                    given.first_uid + at,
                    row.body_id,
                    row.prefix,
                    row.size,
                    mask,
                    given.modseq,
                    row.internaldate,
                    views[row.body_id],
                    now,
                    open_end=row.open_end,
                )
                for at, (row, mask) in enumerate(rows)
            ]
        )
        await transaction.events.add("undeleted", target.name, "operator", [row.body_id for row, _ in rows], now)


async def _masks(
    transaction: MailboxTransaction, folders: dict[int, Folder], target_id: int, rows: Sequence[Recovered]
) -> list[int]:
    """The masks of messages in the folder to which they come, without \\Deleted.

    Keywords of a folder that is gone are unknown, and those for which the target has no place are left out.
    """
    target = folders[target_id]
    keywords: Sequence[str] = target.keywords
    masks = []
    for row in rows:
        mask = row.flags & ~DELETED
        source = folders.get(row.folder_id)
        try:
            if source is None:
                mask &= SYSTEM_BITS
            elif source.folder_id != target_id:
                keywords, (mask,) = carry(source.keywords, keywords, [mask])
        except TooManyKeywords:
            mask &= SYSTEM_BITS
        masks.append(mask)
    await transaction.folders.keep_keywords(target, keywords)
    return masks


def _first(rows: Sequence[Recoverable]) -> Sequence[Recoverable]:
    """The first rows that have at most BATCH_BYTES together, one at least."""
    total = 0
    for count, row in enumerate(rows):
        total += row.size
        if count and total > BATCH_BYTES:
            return rows[:count]
    return rows
