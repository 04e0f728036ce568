"""Ends of attempts: recipients that leave the queue and recipients that wait again, with the notices about them.

All writes of a batch are one transaction, and every write is fenced by its claim's attempt (decision 6).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bodystore import WATCHED, BodyStore, Entering
from mailkit.postgres.pool import Connection, Queries
from queue_worker.models import Claim, Decision, Key, QueueEntry
from queue_worker.storage.claims import fences
from queue_worker.storage.handovers import bodies_of, insert
from queue_worker.storage.operations import OperatorAction
from queue_worker.storage.operations import note as note_operation
from queue_worker.storage.records import Window
from queue_worker.storage.suppressions import Bounced, note

queries = Queries("queue_worker.storage", "records.sql", "outcomes.sql")


@dataclass(frozen=True, slots=True)
class Original:
    """What a bounce needs of a message. `sender_mailbox`: the sender's, if it is a mailbox of ours; `sender_address`: where it leads."""

    id: UUID
    mail_from: str
    body_id: UUID
    size: int
    first_seen: datetime
    sender_mailbox: UUID | None
    sender_limit: int
    sender_limit_version: int
    sender_address: str | None


class Outcomes:
    """The statements of `outcomes.sql`, for one worker."""

    def __init__(self, pool: asyncpg.Pool, bodies: BodyStore, worker: UUID) -> None:
        self._pool = pool
        self._bodies = bodies
        self._worker = worker

    async def originals(self, ids: Sequence[UUID]) -> list[Original]:
        """Return those of the messages `ids` that are under way."""
        return [Original(**dict(row)) for row in await self._pool.fetch(queries.bounce_facts, ids)]

    @asynccontextmanager
    async def transaction(self, bounces: Iterable[QueueEntry], now: datetime) -> AsyncIterator["OutcomeTransaction"]:
        """Open a transaction, which may insert `bounces` and is committed at the end of the block."""
        async with (
            self._bodies.entering(bodies_of(bounces), now) as entering,
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            yield OutcomeTransaction(connection, self._bodies, entering, self._worker)


class OutcomeTransaction:
    """The writes of one batch. `lock` comes before `finish`, and `drop` last."""

    def __init__(self, connection: Connection, bodies: BodyStore, entering: Entering, worker: UUID) -> None:
        self._connection = connection
        self._bodies = bodies
        self._entering = entering
        self._worker = worker

    async def lock(self, ids: Sequence[UUID]) -> None:
        """Lock the messages `ids`, in order: of workers that finish recipients of one message, one is the last."""
        await self._connection.execute(queries.lock_messages, ids)

    async def finish(self, done: Sequence[Decision], now: datetime) -> set[Claim]:
        """Move recipients to the history; return the claims that passed the fence."""
        rows = await self._connection.fetch(
            queries.finish,
            *_fences(done),
            self._worker,
            [d.outcome.value for d in done],
            [d.result.status for d in done],
            [d.text for d in done],
            [d.result.remote_host for d in done],
            now,
            [d.result.connection for d in done],
        )
        return _passed(done, rows)

    async def add(self, bounces: Iterable[QueueEntry], now: datetime) -> None:
        """Announce further bounces to insert."""
        await self._entering.add(bodies_of(bounces), now)

    async def insert(self, entries: Sequence[QueueEntry], now: datetime, lifetime: timedelta) -> None:
        """Insert bounces, which the transaction was opened with or which were added."""
        await insert(self._connection, self._entering, entries, now, lifetime)

    async def defer(self, later: Sequence[Decision], notices: Mapping[UUID, UUID], now: datetime) -> set[Claim]:
        """Set recipients back to waiting until they are due, and note the attempt; return the claims that passed the fence.

        `notices`: by the message's id that of the notice, if its sender is notified of a delay.
        """
        rows = await self._connection.fetch(
            queries.defer,
            *_fences(later),
            self._worker,
            [d.due for d in later],
            [d.outcome.value for d in later],
            [d.result.status for d in later],
            [d.result.text for d in later],
            [d.result.remote_host for d in later],
            [d.result.diagnostic for d in later],
            now,
            [d.result.connection or None for d in later],
            [notices.get(d.claim.message_id) if d.delayed else None for d in later],
        )
        return _passed(later, rows)

    async def note_bounced(self, bounced: Sequence[Bounced], now: datetime, life: timedelta) -> None:
        """Count hard bounces of addresses for `life`."""
        await note(self._connection, bounced, now, life)

    async def give_back(self, back: Sequence[Decision]) -> None:
        """Set recipients back to waiting as if they had not been claimed."""
        await self._connection.execute(queries.give_back, *_fences(back), self._worker, [d.due for d in back])

    async def remove(self, window: Window, operation: OperatorAction) -> tuple[int, list[Key]]:
        """Move waiting recipients to the history as removed by `operation`; return how many match, and those removed."""
        (row,) = await self._connection.fetch(queries.remove, *window.arguments, operation.at, operation.id)
        removed = list(zip(row["ids"] or (), row["numbers"] or (), strict=True))
        if removed:
            await note_operation(self._connection, operation, len(removed))
        return row["found"], removed

    async def drop(self, ids: Sequence[UUID], now: datetime) -> None:
        """Delete those of the messages `ids` that have no recipients left, and note that their bodies lose a reference."""
        gone = await self._connection.fetch(queries.drop_messages, ids)
        unwatched = [row["body_id"] for row in gone if now - row["first_seen"] > WATCHED]
        await self._bodies.leaving(self._connection, unwatched, now)


def _fences(decisions: Sequence[Decision]) -> tuple[list[UUID], list[int], list[int]]:
    return fences([d.claim for d in decisions])


def _passed(decisions: Sequence[Decision], rows: Sequence[asyncpg.Record]) -> set[Claim]:
    """Return the claims of `rows`. Of two attempts for one recipient, only the later one can have passed the fence."""
    latest = {d.claim.key: d.claim for d in sorted(decisions, key=lambda d: d.claim.attempt)}
    return {latest[row["message_id"], row["n"]] for row in rows}
