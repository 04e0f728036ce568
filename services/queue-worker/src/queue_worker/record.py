"""Writes down how attempts ended: delivered, deferred or given up, and with giving up the bounce, in one transaction.

Every write names the claim's attempt (decision 6): a worker that slept past its lease changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.clock import Clock
from mailkit.db import Connection, translate
from mailkit.ids import new_id
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from queue_worker import metrics
from queue_worker.bounce import Original, bounce
from queue_worker.enqueue import entry, insert
from queue_worker.models import TOO_LONG, End, Result
from queue_worker.schedule import is_over, next_attempt, next_filing
from queue_worker.storage.queue import sql
from queue_worker_client.wire import SubmissionRecipient

log = get_logger()

_OUTCOMES = {End.delivered: "delivered", End.failed: "failed"}


class Recorder:
    """Records results in batches; a database that is away is waited for, since a lost result is a second delivery."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        bodies: BodyStore,
        clock: Clock,
        worker: UUID,
        *,
        helo_name: str,
        lifetime: int,
        retry_first: int,
    ) -> None:
        self._pool = pool
        self._bodies = bodies
        self._clock = clock
        self._worker = worker
        self._helo_name = helo_name
        self._lifetime = timedelta(seconds=lifetime)
        self._retry_first = retry_first

    async def record(self, results: Sequence[Result]) -> None:
        """Write `results` down; returns when they are committed."""
        pause = 0.2
        while True:
            try:
                return await self._commit(list(results))
            except Exception as error:
                if translate(error) is None:
                    if len(results) == 1:
                        raise
                    log.error("batch_failed", size=len(results), error=describe(error))
                    middle = len(results) // 2
                    await self.record(results[:middle])
                    return await self.record(results[middle:])
                log.warning("neighbour_away", work="record", error=describe(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5)

    async def _commit(self, results: list[Result]) -> None:
        now = self._clock.now()
        done: list[tuple[Result, str, str]] = []  # (result, outcome, final text)
        later: list[tuple[Result, datetime, int, int]] = []  # (result, due, tries, doubts)
        back: list[Result] = []
        for result in results:
            claim, end = result.claim, result.end
            if end in _OUTCOMES:
                done.append((result, _OUTCOMES[end], result.text))
            elif end is End.returned:
                back.append(result)
            elif is_over(now, claim.expires):
                done.append((result, "expired", result.text + TOO_LONG))
            elif end is End.waiting:
                later.append((result, next_filing(now, claim.tries + 1), 1, 0))
            else:
                due = next_attempt(now, claim.first_seen, claim.expires, self._retry_first)
                later.append((result, due, 1, 1 if end is End.in_doubt else 0))
        originals = await self._originals([r for r, outcome, _ in done if outcome != "delivered" and r.claim.mail_from])
        bounced: list[UUID] = []
        async with self._pool.acquire() as connection, connection.transaction():
            ids = sorted({r.claim.message_id for r in results})
            await connection.fetch(sql.lock_messages, ids)
            written: set[tuple[UUID, int]] = set()
            if done:
                written = await self._finish(connection, done, now)
                bounced = await self._bounce(connection, originals, done, written, now)
            if later:
                rows = await connection.fetch(
                    sql.defer, *_keys([r for r, *_ in later]), self._worker, *_deferral(later)
                )
                written |= {(row["message_id"], row["n"]) for row in rows}
            if back:
                await connection.execute(sql.give_back, *_keys(back), self._worker, now)
            if done:
                gone = await connection.fetch(sql.drop_messages, ids)
                await self._bodies.note_unreferenced(
                    [row["body_id"] for row in gone], now, connection if self._bodies.shared else None
                )
        self._tell(done, later, written, bounced, now)

    async def _finish(
        self, connection: Connection, done: list[tuple[Result, str, str]], now: datetime
    ) -> set[tuple[UUID, int]]:
        rows = await connection.fetch(
            sql.finish,
            *_keys([r for r, _, _ in done]),
            self._worker,
            [outcome for _, outcome, _ in done],
            [r.status for r, _, _ in done],
            [text for _, _, text in done],
            [r.remote_host for r, _, _ in done],
            [0] * len(done),
            now,
        )
        return {(row["message_id"], row["n"]) for row in rows}

    # -- bounces

    async def _originals(self, failures: list[Result]) -> dict[UUID, Original]:
        """What the bounces will need, read before the transaction."""
        if not failures:
            return {}
        facts = await self._pool.fetch(sql.bounce_facts, list({r.claim.message_id for r in failures}))
        bodies = await self._bodies.read_many([row["body_id"] for row in facts])
        return {
            row["id"]: Original(
                row["id"], row["mail_from"], row["first_seen"],
                SubmissionRecipient(
                    row["mail_from"], row["mail_from"], row["sender_mailbox"], row["sender_limit"], row["sender_limit_version"]
                ),
                bodies.get(row["body_id"], b""),
            )
            for row in facts
        }  # fmt: skip

    async def _bounce(
        self,
        connection: Connection,
        originals: dict[UUID, Original],
        done: list[tuple[Result, str, str]],
        written: set[tuple[UUID, int]],
        now: datetime,
    ) -> list[UUID]:
        """One bounce per message for all its recipients given up now; returns the bounces' queue ids."""
        failed: dict[UUID, list[tuple[Result, str]]] = {}
        for result, outcome, text in done:
            key = (result.claim.message_id, result.claim.n)
            if outcome != "delivered" and key in written and result.claim.message_id in originals:
                failed.setdefault(result.claim.message_id, []).append((result, text))
        entries = [
            entry(bounce(originals[message_id], results, self._helo_name, now, new_id()))
            for message_id, results in failed.items()
        ]
        if not self._bodies.shared and entries:
            await self._bodies.put([(e.body_id, e.submission.body) for e in entries], now)
        await insert(connection, self._bodies, entries, now, self._lifetime)
        return [e.queue_id for e in entries]

    # -- what is told

    def _tell(
        self,
        done: list[tuple[Result, str, str]],
        later: list[tuple[Result, datetime, int, int]],
        written: set[tuple[UUID, int]],
        bounced: list[UUID],
        now: datetime,
    ) -> None:
        for result, outcome, text in done:
            claim = result.claim
            if (claim.message_id, claim.n) not in written:
                continue
            kind = "local" if claim.mailbox_id else "remote"
            metrics.ENDED.labels(kind, outcome).inc()
            if outcome == "delivered":
                metrics.LATENCY.labels(kind).observe((now - claim.first_seen).total_seconds())
                log.info("delivered", queue_id=claim.message_id, n=claim.n, kind=kind, host=result.remote_host)
                continue
            log.info(outcome, queue_id=claim.message_id, n=claim.n, status=result.status, text=text)
            if not claim.mail_from:
                metrics.BOUNCE_FAILED.inc()
                log.warning("bounce_failed", queue_id=claim.message_id, n=claim.n, status=result.status)
        for result, due, _, doubts in later:
            claim = result.claim
            if (claim.message_id, claim.n) in written:
                kind = "local" if claim.mailbox_id else "remote"
                metrics.ENDED.labels(kind, "in_doubt" if doubts else "deferred").inc()
                metrics.IN_DOUBT.inc(doubts)
                log.info(
                    "in_doubt" if doubts else "deferred",
                    queue_id=claim.message_id,
                    n=claim.n,
                    due=due,
                    text=result.text,
                )
        for queue_id in bounced:
            metrics.BOUNCED.inc()
            log.info("bounced", queue_id=queue_id)


def _keys(results: Sequence[Result]) -> tuple[list[UUID], list[int], list[int]]:
    claims = [r.claim for r in results]
    return [c.message_id for c in claims], [c.n for c in claims], [c.attempt for c in claims]


def _deferral(later: list[tuple[Result, datetime, int, int]]) -> tuple[list[object], ...]:
    return (
        [due for _, due, _, _ in later],
        [tries for _, _, tries, _ in later],
        [doubts for _, _, _, doubts in later],
        [r.status for r, *_ in later],
        [r.text for r, *_ in later],
        [r.remote_host for r, *_ in later],
        [r.diagnostic for r, *_ in later],
    )
