"""COPY and MOVE: the same body under new UIDs, all messages or none, in one transaction (RFC 3501 6.4.7, RFC 6851)."""

from array import array
from datetime import datetime

import asyncpg

from mailkit.errors import NoSpace
from mailkit.postgres.pool import Connection, translated
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore import metrics
from mailstore.model.keywords import TooManyKeywords, carry
from mailstore.model.quota import Account, Charge
from mailstore.storage.store import locked, not_purged, notify, pack, remember, remembered, split, sql
from mailstore_api.wire import Copied, CopyQuestion

#: UID ranges as `split` gives them.
Bounds = tuple[list[int], list[int]]
#: Messages copied or moved by one statement.
BATCH = 1000


class Copier:
    """COPY and MOVE within one mailbox."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, disk: Disk, charge: Charge = Charge()) -> None:
        self._charge = charge
        self._pool = pool
        self._clock = clock
        self._disk = disk

    async def copy(self, question: CopyQuestion) -> Copied:
        """Copy or move the messages of `ranges` that exist. A full disk allows only moves (to the trash; decision 12)."""
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
                totals = await connection.fetchrow(sql.totals_of, mailbox_id, question.folder_id, *ranges)
                assert totals is not None
                if not totals["messages"]:
                    return Copied("ok", target["uidvalidity"])
                room = Account.of(mailbox, self._charge)
                room.learn(question.quota_limit, question.limit_version)
                lacks = "" if question.move else room.lacks(totals["octets"], totals["messages"])
                if lacks:
                    metrics.OVER_LIMIT.labels("copy", lacks).inc()
                    return Copied("overquota")
                # the expunge of a move subtracts its octets again
                usage = [totals["octets"]], [room.limit], [room.version]
                await connection.execute(sql.add_usage, [mailbox_id], *usage)
                gone_at = self._clock.now() if question.move else None
                answer = await copy_messages(connection, source, target, ranges, totals, gone_at)
                await notify(connection, [mailbox_id])
                await remember(connection, mailbox_id, question.operation_id, answer, self._clock.now())
        except NoSpace:
            return Copied("no_space")
        except TooManyKeywords:
            return Copied("overquota")
        metrics.CHANGES.labels("moved" if question.move else "copied").inc(totals["messages"])
        return answer


async def copy_messages(
    connection: Connection, source: asyncpg.Record, target: asyncpg.Record, ranges: Bounds, totals: asyncpg.Record,
    gone_at: datetime | None = None,
) -> Copied:  # fmt: skip
    """Copy the messages of `ranges` to `target` with their flags and keywords; the caller has locked both folders and
    adds the usage. With `gone_at` they are removed from `source`: a move, after which their bodies are still referenced.

    Copies BATCH messages at a time, under UIDs allocated together. Raises TooManyKeywords.
    """
    mailbox_id = target["mailbox_id"]
    keywords, _ = carry(source["keywords"], target["keywords"], [totals["flags"]])
    if len(keywords) > len(target["keywords"]):
        await connection.execute(sql.set_keywords, mailbox_id, target["folder_id"], keywords)
    given = await connection.fetchrow(
        sql.take_uids, mailbox_id, target["folder_id"], totals["messages"], totals["unseen"], totals["octets"]
    )
    assert given is not None
    left = await connection.fetchval(sql.new_modseq, mailbox_id, source["folder_id"]) if gone_at else 0
    uids = array("I")
    # the cursor has a snapshot from when it was opened, so no copy is copied again
    cursor = await connection.cursor(sql.flags_of, mailbox_id, source["folder_id"], *ranges)
    while rows := await cursor.fetch(BATCH):
        old = [row["uid"] for row in rows]
        first = given["first_uid"] + len(uids)
        _, masks = carry(source["keywords"], keywords, [row["flags"] for row in rows])
        await connection.execute(
            sql.copy_messages, mailbox_id, source["folder_id"], target["folder_id"], old,
            list(range(first, first + len(old))), given["modseq"], masks,
        )  # fmt: skip
        if gone_at:
            await connection.execute(sql.expunge, mailbox_id, source["folder_id"], old, left, gone_at)
        uids.extend(old)
    new_uids = range(given["first_uid"], given["first_uid"] + len(uids))
    return Copied("ok", given["uidvalidity"], uids.tobytes(), pack(new_uids), given["modseq"])
