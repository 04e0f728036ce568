"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3.3 to 6.3.7), each in one transaction that locks the mailbox."""

from collections.abc import Awaitable, Callable
from typing import Literal
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.postgres.pool import Connection, translated
from mailkit.process.clock import Clock
from mailstore.model.folder_names import below, good_name, parents
from mailstore.storage.store import INBOX_ID, LAST_UID, locked, not_purged, notify, remember, remembered, sql
from mailstore.writing.copy import copy_messages
from mailstore_api.wire import DELIMITER, FolderChange, FolderChanged

MOST_FOLDERS = 1000
MOST_SUBSCRIPTIONS = 2000

Status = Literal["ok", "nonexistent", "alreadyexists", "cannot", "limit", "haschildren"]


class FolderTree:
    """Changes of the folder hierarchy and of subscriptions."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock

    async def create(self, change: FolderChange) -> FolderChanged:
        """Create a folder and the levels above it (RFC 3501 6.3.3)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            if not good_name(change.name):
                return "cannot"
            if change.name in await self._names(connection, mailbox_id):
                return "alreadyexists"
            return await self._make(connection, mailbox_id, change.name)

        return await self._change(change, do)

    async def delete(self, change: FolderChange) -> FolderChanged:
        """Delete a folder and its messages; its children stay, below a name that cannot be selected (RFC 3501 6.3.4)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            folder = await connection.fetchrow(sql.lock_folder_named, mailbox_id, change.name)
            if folder is None:
                names = await self._names(connection, mailbox_id)
                return "haschildren" if below(change.name, names) else "nonexistent"
            if folder["folder_id"] == INBOX_ID:
                return "cannot"
            rows = await connection.fetch(sql.take_folder_messages, mailbox_id, folder["folder_id"])
            await connection.execute(sql.drop_folder, mailbox_id, folder["folder_id"])
            await connection.execute(sql.drop_folder_tombstones, mailbox_id, folder["folder_id"])
            await self._bodies.note_unreferenced(
                [row["body_id"] for row in rows], self._clock.now(), connection if self._bodies.shared else None
            )
            return "ok"

        return await self._change(change, do)

    async def rename(self, change: FolderChange) -> FolderChanged:
        """Rename a folder and its children; of INBOX only the messages move to the new folder (RFC 3501 6.3.5)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            old, new = change.name, change.new_name
            names = await self._names(connection, mailbox_id)
            is_inbox = names.get(old) == INBOX_ID
            moved = [] if is_inbox else below(old, names)
            if old not in names and not moved:
                return "nonexistent"
            if not is_inbox and (new + DELIMITER).startswith(old + DELIMITER):
                return "cannot"
            targets = {name: new + name[len(old) :] for name in [*moved, *([old] if old in names else [])]}
            if not good_name(new) or not all(map(good_name, targets.values())):
                return "cannot"
            if new in names or any(target in names for target in targets.values()):
                return "alreadyexists"
            if is_inbox:
                return await self._rename_inbox(connection, mailbox_id, new)
            parent = new.rpartition(DELIMITER)[0]
            if parent and parent not in names and (made := await self._make(connection, mailbox_id, parent)) != "ok":
                return made
            for name, target in targets.items():
                await connection.execute(sql.rename_folder, mailbox_id, names[name], target)
            return "ok"

        return await self._change(change, do)

    async def _rename_inbox(self, connection: Connection, mailbox_id: UUID, new: str) -> Status:
        made = await self._make(connection, mailbox_id, new)
        if made != "ok":
            return made
        inbox = await connection.fetchrow(sql.lock_folder, mailbox_id, INBOX_ID)
        target = await connection.fetchrow(sql.lock_folder_named, mailbox_id, new)
        assert inbox is not None and target is not None
        everything = [1], [LAST_UID]
        totals = await connection.fetchrow(sql.totals_of, mailbox_id, INBOX_ID, *everything)
        assert totals is not None
        if totals["messages"]:
            # the move subtracts it again
            await connection.execute(sql.add_usage, [mailbox_id], [totals["octets"]], [0], [0])
            await copy_messages(connection, inbox, target, everything, totals, self._clock.now())
        return "ok"

    async def subscribe(self, change: FolderChange) -> FolderChanged:
        """Subscribe a name, which need not exist (yet, or any more: RFC 3501 6.3.6)."""

        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            if not good_name(change.name):
                return "cannot"
            if await connection.fetchval(sql.count_subscriptions, mailbox_id) >= MOST_SUBSCRIPTIONS:
                return "limit"
            await connection.execute(sql.subscribe, mailbox_id, change.name)
            return "ok"

        return await self._change(change, do)

    async def unsubscribe(self, change: FolderChange) -> FolderChanged:
        async def do(connection: Connection, mailbox_id: UUID) -> Status:
            await connection.execute(sql.unsubscribe, mailbox_id, change.name)
            return "ok"

        return await self._change(change, do)

    async def _names(self, connection: Connection, mailbox_id: UUID) -> dict[str, int]:
        return {row["name"]: row["folder_id"] for row in await connection.fetch(sql.folder_names, mailbox_id)}

    async def _make(self, connection: Connection, mailbox_id: UUID, name: str) -> Status:
        """Create `name` and the missing levels above it."""
        names = await self._names(connection, mailbox_id)
        missing = [level for level in [*parents(name), name] if level not in names]
        if len(names) + len(missing) > MOST_FOLDERS:
            return "limit"
        for one in missing:
            await connection.fetchval(sql.make_folder, mailbox_id, one, int(self._clock.timestamp()))
        return "ok"

    async def _change(self, change: FolderChange, do: Callable[[Connection, UUID], Awaitable[Status]]) -> FolderChanged:
        mailbox_id, now = change.mailbox_id, self._clock.now()
        async with translated(), locked(self._pool, [mailbox_id], now) as (connection, mailboxes):
            not_purged(mailboxes, mailbox_id)
            known = await remembered(connection, mailbox_id, change.operation_id, FolderChanged)
            if known is not None:
                return known
            answer = FolderChanged(await do(connection, mailbox_id))
            if answer.status == "ok":
                await notify(connection, [mailbox_id])
                await remember(connection, mailbox_id, change.operation_id, answer, now)
            return answer
