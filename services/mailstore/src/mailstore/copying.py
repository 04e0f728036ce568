"""COPY and MOVE: the same body under new UIDs, all messages or none, in one transaction (RFC 3501 6.4.7, RFC 6851)."""

import asyncpg

from mailkit.clock import Clock
from mailkit.db import Connection, translated
from mailkit.disk import Disk
from mailkit.errors import NoSpace
from mailstore import metrics
from mailstore.keywords import TooManyKeywords, carry
from mailstore.quota import Account, Charge
from mailstore.storage.store import locked, not_purged, notify, pack, pack_uids, remember, remembered, split, sql
from mailstore_client.wire import SEEN, Copied, CopyQuestion

Rows = list[asyncpg.Record]


class Copier:
    """Copies and moves within one mailbox."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, disk: Disk, charge: Charge = Charge()) -> None:
        self._charge = charge
        self._pool = pool
        self._clock = clock
        self._disk = disk

    async def copy(self, question: CopyQuestion) -> Copied:
        """The messages of `ranges` that exist. A full disk refuses copies; moves (to the trash) go on (decision 12)."""
        if self._disk.is_full() and not question.move:
            return Copied("no_space")
        ranges = split(question.ranges)
        mailbox_id = question.mailbox_id
        try:
            async with translated(), locked(self._pool, [mailbox_id], self._clock.now()) as (connection, mailboxes):
                mailbox = not_purged(mailboxes, mailbox_id)
                known = await remembered(connection, mailbox_id, question.operation_id, Copied)
                if known is not None:
                    return known
                wanted = await connection.fetchrow(sql.folder_named, mailbox_id, question.target)
                if wanted is None:
                    return Copied("trycreate")
                folders = {}
                for folder_id in sorted({question.folder_id, wanted["folder_id"]}):
                    folder = await connection.fetchrow(sql.lock_folder, mailbox_id, folder_id)
                    if folder is None:
                        return Copied("gone")
                    folders[folder_id] = folder
                source, target = folders[question.folder_id], folders[wanted["folder_id"]]
                rows = await connection.fetch(sql.messages_of, mailbox_id, question.folder_id, *ranges)
                if not rows:
                    return Copied("ok", target["uidvalidity"])
                size = sum(r["size"] for r in rows)
                room = Account.of(mailbox, self._charge)
                room.learn(question.quota_limit, question.limit_version)
                if not question.move and not room.fits(size, len(rows)):
                    return Copied("overquota")
                try:
                    answer = await copy_rows(connection, source, target, rows)
                except TooManyKeywords:
                    return Copied("overquota")
                # a move's expunge takes its octets off again
                await connection.execute(sql.add_usage, [mailbox_id], [size], [room.limit], [room.version])
                if question.move:
                    await take_away(connection, source, rows, self._clock)
                await notify(connection, [mailbox_id])
                await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())
        except NoSpace:
            return Copied("no_space")
        metrics.CHANGES.labels("moved" if question.move else "copied").inc(len(rows))
        return answer


async def copy_rows(connection: Connection, source: asyncpg.Record, target: asyncpg.Record, rows: Rows) -> Copied:
    """Copies of `rows` in `target`, flags and keywords included; both folders are locked, usage is the caller's.

    Raises TooManyKeywords.
    """
    mailbox_id = target["mailbox_id"]
    keywords, masks = carry(source["keywords"], target["keywords"], [r["flags"] for r in rows])
    if len(keywords) > len(target["keywords"]):
        await connection.execute(sql.set_keywords, mailbox_id, target["folder_id"], keywords)
    unseen = sum(1 for mask in masks if not mask & SEEN)
    size = sum(r["size"] for r in rows)
    given = await connection.fetchrow(sql.take_uids, mailbox_id, target["folder_id"], len(rows), unseen, size)
    assert given is not None
    new_uids = list(range(given["first_uid"], given["first_uid"] + len(rows)))
    await connection.execute(
        sql.copy_messages, mailbox_id, source["folder_id"], target["folder_id"], [r["uid"] for r in rows], new_uids,
        given["modseq"], masks,
    )  # fmt: skip
    return Copied("ok", given["uidvalidity"], pack_uids(rows), pack(new_uids), given["modseq"])


async def take_away(connection: Connection, source: asyncpg.Record, rows: Rows, clock: Clock) -> None:
    """The other half of a move: `rows` leave `source`; their bodies are still referred to."""
    mailbox_id, folder_id = source["mailbox_id"], source["folder_id"]
    modseq = await connection.fetchval(sql.new_modseq, mailbox_id, folder_id)
    await connection.fetch(sql.expunge, mailbox_id, folder_id, [r["uid"] for r in rows], modseq, clock.now())
