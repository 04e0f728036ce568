"""Folders as sessions read them: list, open, and changes (RFC 3501 6.3). Reading takes no locks."""

from array import array
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import translated
from mailkit.process.clock import Clock
from mailstore.model.folder_names import parents
from mailstore.storage.store import locked, not_purged, pack, sql
from mailstore_api.wire import (
    Changes,
    ChangesQuestion,
    FolderInfo,
    FolderList,
    FolderSnapshot,
    MailboxQuestion,
    OpenFolder,
)


class Folders:
    """The folders of mailboxes; a mailbox is created with the default folders when it is first asked for."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def _make(self, mailbox_id: UUID) -> None:
        """Create the mailbox unless it exists. Raises NotFound for one that was purged."""
        async with locked(self._pool, [mailbox_id], self._clock.now()) as (_, mailboxes):
            not_purged(mailboxes, mailbox_id)

    async def list(self, question: MailboxQuestion) -> FolderList:
        """Return all folders with their STATUS numbers, and subscribed names that do not exist."""
        async with translated():
            rows = await self._pool.fetch(sql.list_folders, question.mailbox_id, question.recent)
            if not rows:
                await self._make(question.mailbox_id)
                rows = await self._pool.fetch(sql.list_folders, question.mailbox_id, question.recent)
            lost = await self._pool.fetch(sql.lost_subscriptions, question.mailbox_id)
        folders = [
            FolderInfo(
                row["name"], row["folder_id"], row["special_use"], row["subscribed"], True, row["uidvalidity"], row["uidnext"],
                row["highest_modseq"], row["messages"], row["unseen"], row["recent"], row["octets"],
            )
            for row in rows
        ]  # fmt: skip
        names = {folder.name for folder in folders}
        levels = {parent for name in names for parent in parents(name)} - names
        gone = {row["name"] for row in lost}
        folders += [FolderInfo(name, 0, "", name in gone, False, 0, 1, 0, 0, 0, 0, 0) for name in levels]
        folders += [FolderInfo(name, 0, "", True, False, 0, 1, 0, 0, 0, 0, 0, exists=False) for name in gone - levels]
        return FolderList(sorted(folders, key=lambda folder: folder.name))

    async def open(self, question: OpenFolder) -> FolderSnapshot:
        """Return a snapshot of the folder; a read-write session claims the \\Recent messages."""
        async with translated():
            folder = await self._pool.fetchrow(sql.snapshot, question.mailbox_id, question.name)
            if folder is None:
                await self._make(question.mailbox_id)
                folder = await self._pool.fetchrow(sql.snapshot, question.mailbox_id, question.name)
            if folder is None:
                return FolderSnapshot("nonexistent")
            recent_from = folder["recent_from"]
            if not question.read_only:
                recent_from = await self._recent(question.mailbox_id, folder["folder_id"], folder) or folder["uidnext"]
        return FolderSnapshot(
            "ok", folder["folder_id"], folder["uidvalidity"], folder["uidnext"], folder["highest_modseq"], recent_from,
            _uids(folder["uids"]), _masks(folder["masks"]), folder["keywords"],
        )  # fmt: skip

    async def changes(self, question: ChangesQuestion) -> Changes:
        """Return the changes after MODSEQ `since`, as one consistent snapshot."""
        mailbox_id, folder_id = question.mailbox_id, question.folder_id
        async with translated():
            folder = await self._pool.fetchrow(sql.changes, mailbox_id, folder_id, question.since)
            if folder is None:
                return Changes("gone")
            if question.since < folder["forgotten_modseq"]:
                return Changes("expired")
            if question.since >= folder["highest_modseq"]:
                return Changes("ok", folder["highest_modseq"], folder["uidnext"], keywords=folder["keywords"])
            recent_from = folder["recent_from"]
            if question.take_recent:
                recent_from = await self._recent(mailbox_id, folder_id, folder)
        return Changes(
            "ok", folder["highest_modseq"], folder["uidnext"], recent_from, _uids(folder["uids"]), _masks(folder["masks"]),
            _uids(folder["vanished"]), folder["keywords"],
        )  # fmt: skip

    async def _recent(self, mailbox_id: UUID, folder_id: int, folder: asyncpg.Record) -> int:
        """The first UID that is \\Recent for this session alone; 0 if there is none or another session claimed them.

        \\Recent is for the first session notified of a message (RFC 3501 2.3.2).
        """
        first, end = folder["recent_from"], folder["uidnext"]
        if first >= end:
            return 0
        taken = await self._pool.fetchval(sql.take_recent, mailbox_id, folder_id, first, end)
        return first if taken is not None else 0


def _uids(values: Iterable[int] | None) -> bytes:
    return pack(values or ())


def _masks(values: Iterable[int] | None) -> bytes:
    return array("Q", values or ()).tobytes()
