"""Folders: list, make, rename, delete, subscribe, open, and what changed (RFC 3501 6.3)."""

from array import array
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import Connection, translated
from mailstore.storage.store import INBOX_ID, lock_mailboxes, not_purged, notify, remember, remembered, sql
from mailstore_client.wire import (
    DELIMITER,
    Changes,
    ChangesQuestion,
    FolderChange,
    FolderChanged,
    FolderInfo,
    FolderList,
    FolderSnapshot,
    MailboxQuestion,
    OpenFolder,
)  # fmt: skip

MOST_FOLDERS = 1000
LONGEST_NAME = 400
DEEPEST = 20

Status = str


class Folders:
    """The folders of mailboxes; a mailbox that is asked for the first time is made with the usual ones."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock

    # -- looking

    async def list(self, question: MailboxQuestion) -> FolderList:
        """All folders with their numbers, and subscribed names that do not exist."""
        async with translated():
            rows = await self._pool.fetch(sql.list_folders, question.mailbox_id)
            if not rows:
                async with self._pool.acquire() as connection, connection.transaction():
                    not_purged(
                        await lock_mailboxes(connection, [question.mailbox_id], self._clock.now()), question.mailbox_id
                    )
                rows = await self._pool.fetch(sql.list_folders, question.mailbox_id)
            lost = await self._pool.fetch(sql.lost_subscriptions, question.mailbox_id)
        folders = [
            FolderInfo(
                row["name"], row["folder_id"], row["special_use"], row["subscribed"], True, row["uidvalidity"], row["uidnext"],
                row["highest_modseq"], row["messages"], row["unseen"], row["recent"], row["size"],
            )
            for row in rows
        ]  # fmt: skip
        names = {folder.name for folder in folders}
        parents = {parent for name in names for parent in _parents(name)} - names
        folders += [FolderInfo(name, 0, "", False, False, 0, 1, 0, 0, 0, 0, 0) for name in parents]
        folders += [FolderInfo(row["name"], 0, "", True, False, 0, 1, 0, 0, 0, 0, 0, exists=False) for row in lost]
        return FolderList(sorted(folders, key=lambda folder: folder.name))

    async def open(self, question: OpenFolder) -> FolderSnapshot:
        """The folder as it is now; a read-write session takes the \\Recent messages."""
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            folder = await connection.fetchrow(sql.lock_folder_named, question.mailbox_id, question.name)
            if folder is None:
                not_purged(
                    await lock_mailboxes(connection, [question.mailbox_id], self._clock.now()), question.mailbox_id
                )
                folder = await connection.fetchrow(sql.lock_folder_named, question.mailbox_id, question.name)
            if folder is None:
                return FolderSnapshot("nonexistent")
            rows = await connection.fetch(sql.snapshot, question.mailbox_id, folder["folder_id"])
            if not question.read_only:
                await connection.execute(sql.take_recent, question.mailbox_id, folder["folder_id"])
        return FolderSnapshot(
            "ok", folder["folder_id"], folder["uidvalidity"], folder["uidnext"], folder["highest_modseq"], folder["recent_from"],
            pack_uids(rows), pack_flags(rows), folder["keywords"],
        )  # fmt: skip

    async def changes(self, question: ChangesQuestion) -> Changes:
        """What happened after `since`; one moment for all of it (the folder's row is locked)."""
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            folder = await connection.fetchrow(sql.lock_folder, question.mailbox_id, question.folder_id)
            if folder is None:
                return Changes("gone")
            if question.since < folder["forgotten_modseq"]:
                return Changes("expired")
            if question.since >= folder["highest_modseq"]:
                return Changes("ok", folder["highest_modseq"], folder["uidnext"], keywords=folder["keywords"])
            rows = await connection.fetch(sql.changed, question.mailbox_id, question.folder_id, question.since)
            vanished = await connection.fetch(sql.vanished, question.mailbox_id, question.folder_id, question.since)
            if question.take_recent:
                await connection.execute(sql.take_recent, question.mailbox_id, question.folder_id)
        return Changes(
            "ok", folder["highest_modseq"], folder["uidnext"], folder["recent_from"], pack_uids(rows), pack_flags(rows),
            pack_uids(vanished), folder["keywords"],
        )  # fmt: skip

    # -- changing

    async def create(self, change: FolderChange) -> FolderChanged:
        """CREATE, with the levels above it (RFC 3501 6.3.3)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            if not _good_name(change.name):
                return "cannot"
            if await connection.fetchrow(sql.folder_named, mailbox_id, change.name):
                return "alreadyexists"
            return await self._make(connection, mailbox_id, change.name)

        return await self._change(change, do)

    async def delete(self, change: FolderChange) -> FolderChanged:
        """DELETE: the folder and its messages go; children stay (RFC 3501 6.3.4)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            folder = await connection.fetchrow(sql.lock_folder_named, mailbox_id, change.name)
            if folder is None:
                return "nonexistent"
            if folder["folder_id"] == INBOX_ID:
                return "cannot"
            rows = await connection.fetch(sql.take_folder_messages, mailbox_id, folder["folder_id"])
            await connection.execute(sql.drop_folder, mailbox_id, folder["folder_id"])
            await connection.execute(sql.drop_folder_tombstones, mailbox_id, folder["folder_id"])
            await self._bodies.note_unreferenced(
                [row["body_id"] for row in rows], self._clock.now(), self._own(connection)
            )
            return "ok"

        return await self._change(change, do)

    async def rename(self, change: FolderChange) -> FolderChanged:
        """RENAME, children too; INBOX's messages move to the new folder and INBOX stays (RFC 3501 6.3.5)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            old, new = change.name, change.new_name
            folders = {row["name"]: row for row in await connection.fetch(sql.list_folders, mailbox_id)}
            children = [name for name in folders if name.startswith(old + DELIMITER)]
            if not _good_name(new) or (new + DELIMITER).startswith(old + DELIMITER):
                return "cannot"
            if old not in folders and not children:
                return "nonexistent"
            if new in folders or any(new + name[len(old) :] in folders for name in children):
                return "alreadyexists"
            parent = new.rpartition(DELIMITER)[0]
            if parent and parent not in folders and (made := await self._make(connection, mailbox_id, parent)) != "ok":
                return made
            if old == "INBOX":
                return await self._rename_inbox(connection, mailbox_id, new)
            for name in [*children, *([old] if old in folders else [])]:
                await connection.execute(
                    sql.rename_folder, mailbox_id, folders[name]["folder_id"], new + name[len(old) :]
                )
            return "ok"

        return await self._change(change, do)

    async def _rename_inbox(self, connection: Connection, mailbox_id: UUID, new: str) -> Status:
        made = await self._make(connection, mailbox_id, new)
        if made != "ok":
            return made
        target = await connection.fetchrow(sql.lock_folder_named, mailbox_id, new)
        assert target is not None
        inbox = await connection.fetchrow(sql.lock_folder, mailbox_id, INBOX_ID)
        assert inbox is not None
        rows = await connection.fetch(sql.messages_of, mailbox_id, INBOX_ID, [1], [2**32])
        if not rows:
            return "ok"
        given = await connection.fetchrow(sql.take_uids, [mailbox_id], [target["folder_id"]], [len(rows)])
        assert given is not None
        old = [row["uid"] for row in rows]
        new_uids = list(range(given["first_uid"], given["first_uid"] + len(rows)))
        await connection.execute(sql.set_keywords, mailbox_id, target["folder_id"], inbox["keywords"])
        masks = [row["flags"] for row in rows]
        await connection.execute(
            sql.copy_messages, mailbox_id, INBOX_ID, target["folder_id"], old, new_uids, given["modseq"], masks
        )
        modseq = await connection.fetchval(sql.new_modseq, mailbox_id, INBOX_ID)
        size = sum(row["size"] for row in rows)
        await connection.execute(sql.add_usage, [mailbox_id], [size], [0], [0])  # the expunge takes it off again
        await connection.fetch(sql.expunge, mailbox_id, INBOX_ID, old, modseq, self._clock.now())
        return "ok"

    async def subscribe(self, change: FolderChange) -> FolderChanged:
        async with translated():
            await self._pool.execute(sql.subscribe, change.mailbox_id, change.name)
        return FolderChanged("ok")

    async def unsubscribe(self, change: FolderChange) -> FolderChanged:
        async with translated():
            await self._pool.execute(sql.unsubscribe, change.mailbox_id, change.name)
        return FolderChanged("ok")

    async def _make(self, connection: Connection, mailbox_id: UUID, name: str) -> Status:
        """Make `name` and what is missing above it."""
        missing = [
            parent
            for parent in [*_parents(name), name]
            if not await connection.fetchrow(sql.folder_named, mailbox_id, parent)
        ]
        if await connection.fetchval(sql.count_folders, mailbox_id) + len(missing) > MOST_FOLDERS:
            return "limit"
        for one in missing:
            # later folders have later UIDVALIDITYs, also when a name comes again within a second
            folder_id = await connection.fetchval(
                "select next_folder_id from mailstore.mailbox where id = $1 /* mailbox_id */", mailbox_id
            )
            await connection.fetchval(sql.make_folder, mailbox_id, one, int(self._clock.timestamp()) + folder_id)
        return "ok"

    async def _change(self, change: FolderChange, do: Callable[[Connection, UUID], Awaitable[Status]]) -> FolderChanged:
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            not_purged(await lock_mailboxes(connection, [change.mailbox_id], now), change.mailbox_id)
            known = await remembered(connection, change.mailbox_id, change.operation_id, FolderChanged)
            if known is not None:
                return known
            answer = FolderChanged(await do(connection, change.mailbox_id))  # type: ignore[arg-type]
            if answer.status == "ok":
                await notify(connection, [change.mailbox_id])
                await remember(connection, change.mailbox_id, change.operation_id, answer, now)
            return answer

    def _own(self, connection: Connection) -> Connection | None:
        return connection if self._bodies.shared else None


def pack_uids(rows: "list[asyncpg.Record]") -> bytes:
    return array("I", [row["uid"] for row in rows]).tobytes()


def pack_flags(rows: "list[asyncpg.Record]") -> bytes:
    return array("Q", [row["flags"] for row in rows]).tobytes()


def _parents(name: str) -> "list[str]":
    levels = name.split(DELIMITER)
    return [DELIMITER.join(levels[:depth]) for depth in range(1, len(levels))]


def _good_name(name: str) -> bool:
    """A name a folder may have: no empty level, no control characters, not too long or deep."""
    levels = name.split(DELIMITER)
    return (
        0 < len(name) <= LONGEST_NAME
        and len(levels) <= DEEPEST
        and all(level and level == level.strip() for level in levels)
        and not any(ord(c) < 32 or ord(c) == 127 or c in "*%" for c in name)
    )
