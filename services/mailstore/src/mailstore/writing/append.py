"""APPEND: the body, its first reference and the row in one transaction (RFC 3501 6.3.11, decision 4)."""

from contextlib import nullcontext
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.errors import BadRequest, NoSpace
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.mime import Rendered
from mailstore.model.keywords import TooManyKeywords, mask_of
from mailstore.model.quota import Account, Charge
from mailstore.storage.rows import columns, moment, row
from mailstore.storage.store import locked, not_purged, notify, remember, remembered, sql
from mailstore.writing.rendering import render_one
from mailstore_api.wire import SEEN, Append, Appended

#: The last second of the year 9999: RFC 3501's date-year has four digits.
LAST_SECOND = 253402300799


class Appender:
    """Writer of messages that sessions append."""

    def __init__(
        self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, disk: Disk, charge: Charge = Charge()
    ) -> None:
        self._charge = charge
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._disk = disk

    async def append(self, head: Append, message: bytes) -> Appended:
        """Append `message` to the folder. Raises BadRequest for a date outside 1970 to 9999, and NotFound."""
        if self._disk.is_full():
            return Appended("no_space")
        if head.internal_date is not None and not 0 <= head.internal_date < LAST_SECOND:
            raise BadRequest("no date that IMAP could show")
        view = await render_one(message)
        body_id, now = new_id(), self._clock.now()
        try:
            async with translated():
                if not self._bodies.shared:
                    await self._bodies.put([(body_id, message)], now)
                async with (
                    nullcontext() if self._bodies.shared else self._bodies.first_reference([body_id]),
                    locked(self._pool, [head.mailbox_id], now) as (connection, mailboxes),
                ):
                    mailbox = not_purged(mailboxes, head.mailbox_id)
                    known = await remembered(connection, head.mailbox_id, head.operation_id, Appended)
                    if known is not None:
                        return known
                    answer = await self._add(connection, mailbox, head, body_id, message, view)
        except NoSpace:
            return Appended("no_space")
        if answer.status == "ok":
            metrics.CHANGES.labels("appended").inc()
        return answer

    async def _add(
        self, connection: Connection, mailbox: asyncpg.Record, head: Append, body_id: UUID, message: bytes, view: Rendered
    ) -> Appended:  # fmt: skip
        """Append in the transaction of `connection`, which has locked the mailbox."""
        mailbox_id, now = head.mailbox_id, self._clock.now()
        folder = await connection.fetchrow(sql.lock_folder_named, mailbox_id, head.name)
        if folder is None:
            return Appended("trycreate")
        room = Account.of(mailbox, self._charge)
        room.learn(head.quota_limit, head.limit_version)
        if lacks := room.lacks(len(message)):
            metrics.OVER_LIMIT.labels("append", lacks).inc()
            return Appended("overquota")
        try:
            keywords, mask = mask_of(folder["keywords"], head.flags)
        except TooManyKeywords:
            return Appended("limit")
        if len(keywords) > len(folder["keywords"]):
            await connection.execute(sql.set_keywords, mailbox_id, folder["folder_id"], keywords)
        if self._bodies.shared:
            await self._bodies.put([(body_id, message)], now, connection)
        unseen = 0 if mask & SEEN else 1
        given = await connection.fetchrow(sql.take_uids, mailbox_id, folder["folder_id"], 1, unseen, len(message))
        assert given is not None
        date = now if head.internal_date is None else moment(head.internal_date)
        uid = given["first_uid"]
        new = row(
            mailbox_id, folder["folder_id"], uid, body_id, b"", len(message), mask, given["modseq"], date, view,
            open_end=bool(message) and not message.endswith(b"\r\n"),
        )  # fmt: skip
        await connection.execute(sql.insert_messages, *columns([new]))
        await connection.execute(sql.add_usage, [mailbox_id], [len(message)], [room.limit], [room.version])
        await notify(connection, [mailbox_id])
        answer = Appended("ok", folder["uidvalidity"], uid)
        return await remember(connection, mailbox_id, head.operation_id, answer, now)
