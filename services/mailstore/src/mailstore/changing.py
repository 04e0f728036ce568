"""What sessions do to messages: flags, copies, moves, expunges, appends. Each is one transaction and is remembered for
10 minutes under its operation id; rows are locked in (mailbox, folder) order (decision 8)."""

import asyncio
from array import array
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import Connection, translated
from mailkit.disk import Disk
from mailkit.ids import new_id
from mailstore.filing import OFF_LOOP, columns, row
from mailstore.folders import pack_flags, pack_uids
from mailstore.mime import render
from mailstore.quota import Account
from mailstore.storage.store import lock_mailboxes, not_purged, notify, remember, remembered, split, sql
from mailstore_client.wire import (
    DELETED,
    FIRST_KEYWORD_BIT,
    MOST_KEYWORDS,
    SYSTEM_FLAGS,
    Append,
    Appended,
    Copied,
    CopyQuestion,
    Expunged,
    ExpungeQuestion,
    Stored,
    StoreQuestion,
)  # fmt: skip

_ALL = (1 << 62) - 1


class Changer:
    """Changes messages in folders."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, disk: Disk) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._disk = disk

    async def store(self, question: StoreQuestion) -> Stored:
        """STORE: the messages' masks afterwards."""
        mailbox_id, folder_id = question.mailbox_id, question.folder_id
        low, high = split(question.ranges)
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            folder = await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id)
            if folder is None:
                return Stored("gone")
            known = await remembered(connection, mailbox_id, question.operation_id, Stored)
            if known is not None:
                return known
            keywords, mask = await self._mask(connection, folder, question.flags, grow=question.mode != "remove")
            if mask is None:
                return Stored("limit")
            keep, add = {"replace": (0, mask), "add": (_ALL, mask), "remove": (_ALL & ~mask, 0)}[question.mode]
            modseq = await connection.fetchval(sql.new_modseq, mailbox_id, folder_id)
            await connection.execute(sql.store_flags, mailbox_id, folder_id, low, high, modseq, keep, add)
            rows = await connection.fetch(sql.flags_of, mailbox_id, folder_id, low, high)
            await notify(connection, [mailbox_id])
            answer = Stored("ok", modseq, pack_uids(rows), pack_flags(rows), keywords)
            return await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())

    async def _mask(
        self, connection: Connection, folder: asyncpg.Record, flags: list[str], *, grow: bool = True
    ) -> tuple[list[str], int | None]:
        """(the folder's keywords, the flags' bits); unknown keywords get a bit; None when there is none left."""
        keywords = list(folder["keywords"])
        places = {name.lower(): place for place, name in enumerate(keywords)}
        mask = 0
        for name in flags:
            if name in SYSTEM_FLAGS:
                mask |= SYSTEM_FLAGS[name]
                continue
            if name.lower() not in places:
                if not grow:
                    continue
                if len(keywords) >= MOST_KEYWORDS:
                    return keywords, None
                places[name.lower()] = len(keywords)
                keywords.append(name)
            mask |= 1 << (FIRST_KEYWORD_BIT + places[name.lower()])
        if len(keywords) > len(folder["keywords"]):
            await connection.execute(sql.set_keywords, folder["mailbox_id"], folder["folder_id"], keywords)
        return keywords, mask

    async def copy(self, question: CopyQuestion) -> Copied:
        """COPY or MOVE: same body, new UIDs; all messages or none."""
        mailbox_id = question.mailbox_id
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            mailbox = not_purged(await lock_mailboxes(connection, [mailbox_id], self._clock.now()), mailbox_id)
            known = await remembered(connection, mailbox_id, question.operation_id, Copied)
            if known is not None:
                return known
            wanted = await connection.fetchrow(sql.folder_named, mailbox_id, question.target)
            if wanted is None:
                return Copied("trycreate")
            folders = {}
            for folder_id in sorted({question.folder_id, wanted["folder_id"]}):
                folders[folder_id] = await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id)
            source, target = folders[question.folder_id], folders[wanted["folder_id"]]
            if source is None or target is None:
                return Copied("gone")
            rows = await connection.fetch(sql.messages_of, mailbox_id, question.folder_id, *split(question.ranges))
            if not rows:
                return Copied("ok", target["uidvalidity"])
            size = sum(r["size"] for r in rows)
            room = Account(mailbox["usage"], mailbox["quota_limit"], mailbox["limit_version"])
            room.learn(question.quota_limit, question.limit_version)
            if not question.move and not room.fits(size):
                return Copied("overquota")
            answer = await self._copy(connection, question, source, target, rows)
            if answer.status == "ok":
                # a move's expunge takes its octets off again
                await connection.execute(sql.add_usage, [mailbox_id], [size], [room.limit], [room.version])
                if question.move:
                    modseq = await connection.fetchval(sql.new_modseq, mailbox_id, question.folder_id)
                    old = [r["uid"] for r in rows]
                    await connection.fetch(sql.expunge, mailbox_id, question.folder_id, old, modseq, self._clock.now())
                await notify(connection, [mailbox_id])
                await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())
            return answer

    async def _copy(
        self, connection: Connection, question: CopyQuestion, source: asyncpg.Record, target: asyncpg.Record,
        rows: list[asyncpg.Record],
    ) -> Copied:  # fmt: skip
        """Flags and keywords go along; keywords get the target folder's own bits."""
        names = list(source["keywords"])
        used = 0
        for r in rows:
            used |= r["flags"]
        carried = [name for place, name in enumerate(names) if used >> (FIRST_KEYWORD_BIT + place) & 1]
        keywords, mask = await self._mask(connection, target, carried)
        if mask is None:
            return Copied("overquota")
        places = {name.lower(): place for place, name in enumerate(keywords)}
        bits = {
            1 << (FIRST_KEYWORD_BIT + names.index(name)): 1 << (FIRST_KEYWORD_BIT + places[name.lower()])
            for name in carried
        }
        masks = [
            (r["flags"] & ((1 << FIRST_KEYWORD_BIT) - 1)) | sum(new for old, new in bits.items() if r["flags"] & old)
            for r in rows
        ]
        given = await connection.fetchrow(sql.take_uids, [question.mailbox_id], [target["folder_id"]], [len(rows)])
        assert given is not None
        new_uids = list(range(given["first_uid"], given["first_uid"] + len(rows)))
        await connection.execute(
            sql.copy_messages, question.mailbox_id, question.folder_id, target["folder_id"], [r["uid"] for r in rows],
            new_uids, given["modseq"], masks,
        )  # fmt: skip
        return Copied("ok", given["uidvalidity"], pack_uids(rows), array("I", new_uids).tobytes(), given["modseq"])

    async def expunge(self, question: ExpungeQuestion) -> Expunged:
        """Remove what is \\Deleted, all or within the ranges."""
        mailbox_id, folder_id = question.mailbox_id, question.folder_id
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            not_purged(await lock_mailboxes(connection, [mailbox_id], self._clock.now()), mailbox_id)
            if await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id) is None:
                return Expunged("gone")
            known = await remembered(connection, mailbox_id, question.operation_id, Expunged)
            if known is not None:
                return known
            if question.ranges is None:
                rows = await connection.fetch(sql.deleted_uids, mailbox_id, folder_id)
            else:
                rows = await connection.fetch(sql.flags_of, mailbox_id, folder_id, *split(question.ranges))
            uids = [r["uid"] for r in rows if r["flags"] & DELETED]
            if not uids:
                return Expunged("ok")
            modseq = await self.remove(connection, mailbox_id, folder_id, uids)
            answer = Expunged("ok", array("I", uids).tobytes(), modseq)
            return await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())

    async def remove(self, connection: Connection, mailbox_id: UUID, folder_id: int, uids: list[int]) -> int:
        """Messages leave in the transaction of `connection`, mailbox and folder locked; the new MODSEQ."""
        now = self._clock.now()
        modseq: int = await connection.fetchval(sql.new_modseq, mailbox_id, folder_id)
        gone = await connection.fetch(sql.expunge, mailbox_id, folder_id, uids, modseq, now)
        await self._bodies.note_unreferenced(
            [r["body_id"] for r in gone], now, connection if self._bodies.shared else None
        )
        await notify(connection, [mailbox_id])
        return modseq

    async def append(self, head: Append, message: bytes) -> Appended:
        """APPEND: the body, its reference and the row in one transaction."""
        if self._disk.is_full():
            return Appended("no_space")
        mailbox_id, body_id = head.mailbox_id, new_id()
        view = await asyncio.to_thread(render, message) if len(message) > OFF_LOOP else render(message)
        now = self._clock.now()
        if not self._bodies.shared:
            await self._bodies.put([(body_id, message)], now)
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            mailbox = not_purged(await lock_mailboxes(connection, [mailbox_id], now), mailbox_id)
            known = await remembered(connection, mailbox_id, head.operation_id, Appended)
            if known is not None:
                return known
            folder = await connection.fetchrow(sql.lock_folder_named, mailbox_id, head.name)
            if folder is None:
                return Appended("trycreate")
            room = Account(mailbox["usage"], mailbox["quota_limit"], mailbox["limit_version"])
            room.learn(head.quota_limit, head.limit_version)
            if not room.fits(len(message)):
                return Appended("overquota")
            _, mask = await self._mask(connection, folder, head.flags)
            if mask is None:
                return Appended("limit")
            if self._bodies.shared:
                await self._bodies.put([(body_id, message)], now, connection)
            given = await connection.fetchrow(sql.take_uids, [mailbox_id], [folder["folder_id"]], [1])
            assert given is not None
            date = now if head.internal_date is None else datetime.fromtimestamp(head.internal_date, UTC)
            uid = given["first_uid"]
            new = row(
                mailbox_id, folder["folder_id"], uid, body_id, b"", len(message), mask, given["modseq"], date, view
            )
            await connection.execute(sql.insert_messages, *columns([new]))
            await connection.execute(sql.add_usage, [mailbox_id], [len(message)], [room.limit], [room.version])
            await notify(connection, [mailbox_id])
            answer = Appended("ok", folder["uidvalidity"], uid)
            return await remember(connection, mailbox_id, head.operation_id, answer, now)
