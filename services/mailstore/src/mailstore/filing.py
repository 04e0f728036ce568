"""Filing: a list of deliveries in one transaction: hand-over ids, quota, UIDs, rendered rows (decisions 3, 4, 5, 7, 8)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import Connection, translate
from mailkit.disk import Disk
from mailkit.errors import NoSpace, PostriderError
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from mailstore import metrics
from mailstore.mime import Rendered, render
from mailstore.mime.search import fold
from mailstore.quota import Account
from mailstore.storage.store import INBOX_ID, lock_mailboxes, notify, sql
from mailstore_client.wire import Filing, FilingAnswer

log = get_logger()

#: Above this many octets a batch is rendered in a thread.
OFF_LOOP = 512 * 1024


class Filer:
    """Files lists."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, disk: Disk) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._disk = disk

    async def file(self, items: Sequence[Filing]) -> list[FilingAnswer]:
        """One answer per item, in order. Raises Unavailable when the database is away."""
        if not items:
            return []
        if self._disk.is_full():
            return [FilingAnswer("no_space") for _ in items]
        try:
            answers = await self._commit(items)
        except Exception as error:
            known = error if isinstance(error, PostriderError) else translate(error)
            if isinstance(known, NoSpace):
                return [FilingAnswer("no_space") for _ in items]
            if known is not None:
                raise known from error
            log.error(
                "batch_failed", size=len(items), error=describe(error), exc_info=error if len(items) == 1 else None
            )
            if len(items) == 1:
                return [FilingAnswer("failed")]
            middle = len(items) // 2
            return [*await self.file(items[:middle]), *await self.file(items[middle:])]
        for answer in answers:
            metrics.FILED.labels(answer.status).inc()
        metrics.BATCH.observe(len(items))
        return answers

    async def _commit(self, items: Sequence[Filing]) -> list[FilingAnswer]:
        bodies = await self._bodies.read_many([item.body_id for item in items])
        if sum(map(len, bodies.values())) > OFF_LOOP:
            views = await asyncio.to_thread(lambda: {key: render(body) for key, body in bodies.items()})
        else:
            views = {key: render(body) for key, body in bodies.items()}
        now = self._clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            mailboxes = await lock_mailboxes(connection, (item.mailbox_id for item in items), now)
            rows = await connection.fetch(
                sql.known_filed, [item.queue_id for item in items], [item.mailbox_id for item in items]
            )
            filed = {(row["queue_id"], row["mailbox_id"]) for row in rows}
            rooms = {
                key: Account(row["usage"], row["quota_limit"], row["limit_version"]) for key, row in mailboxes.items()
            }
            answers: list[FilingAnswer] = []
            accepted: list[tuple[Filing, int]] = []
            for item in items:
                room = rooms[item.mailbox_id]
                room.learn(item.quota_limit, item.limit_version)
                if (item.queue_id, item.mailbox_id) in filed:
                    answers.append(FilingAnswer("already"))
                elif mailboxes[item.mailbox_id]["purged_at"] is not None:
                    answers.append(FilingAnswer("gone"))
                elif item.body_id not in bodies:
                    answers.append(FilingAnswer("failed"))
                elif not room.fits(size := len(item.prefix) + len(bodies[item.body_id])) and not item.exempt:
                    answers.append(FilingAnswer("full"))
                else:
                    room.take(size)
                    filed.add((item.queue_id, item.mailbox_id))
                    accepted.append((item, size))
                    answers.append(FilingAnswer("filed"))
            if accepted:
                await self._insert(connection, accepted, views, rooms)
        return answers

    async def _insert(
        self,
        connection: Connection,
        accepted: list[tuple[Filing, int]],
        views: dict[UUID, Rendered],
        rooms: dict[UUID, Account],
    ) -> None:
        counts = Counter(item.mailbox_id for item, _ in accepted)
        ids = sorted(counts)
        given = await connection.fetch(sql.take_uids, ids, [INBOX_ID] * len(ids), [counts[i] for i in ids])
        uids = {row["mailbox_id"]: row["first_uid"] for row in given}
        modseqs = {row["mailbox_id"]: row["modseq"] for row in given}
        new = []
        for item, size in accepted:
            uid = uids[item.mailbox_id]
            uids[item.mailbox_id] = uid + 1
            date = datetime.fromtimestamp(item.received_at, UTC)
            new.append(
                row(
                    item.mailbox_id,
                    INBOX_ID,
                    uid,
                    item.body_id,
                    item.prefix,
                    size,
                    0,
                    modseqs[item.mailbox_id],
                    date,
                    views[item.body_id],
                )
            )
        await connection.execute(sql.insert_messages, *columns(new))
        await connection.execute(
            sql.insert_filed, [item.queue_id for item, _ in accepted], [item.mailbox_id for item, _ in accepted]
        )
        await connection.execute(
            sql.add_usage,
            ids,
            [rooms[i].added for i in ids],
            [rooms[i].limit for i in ids],
            [rooms[i].version for i in ids],
        )
        await notify(connection, ids)


def row(
    mailbox_id: UUID, folder_id: int, uid: int, body_id: UUID, prefix: bytes, size: int, flags: int, modseq: int,
    internaldate: datetime, view: Rendered,
) -> tuple[object, ...]:  # fmt: skip
    """One new message, in the order `insert_messages` takes its arrays."""
    return (
        mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate,
        view.envelope, view.body, view.bodystructure, view.parts, view.sent_day,
        _text(view.subject), _text(view.from_), _text(view.to), _text(view.cc), _text(view.bcc),
    )  # fmt: skip


def columns(rows: list[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _text(value: str) -> str:
    """As SEARCH compares it; Postgres takes neither NUL nor lone surrogates."""
    return fold(value).replace("\0", "").encode("utf-8", "replace").decode()
