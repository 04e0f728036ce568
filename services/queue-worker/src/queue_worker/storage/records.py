"""What operators see of messages under way and of the history, and retries at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries
from queue_worker.models import Key, Pair

queries = Queries("queue_worker.storage", "records.sql")


@dataclass(frozen=True, slots=True)
class Listed:
    """A message under way, in the list; the lists are those of its first recipients."""

    id: UUID
    mail_from: str
    size: int
    first_seen: datetime
    expires: datetime
    recipients: int
    due: datetime
    in_doubt: int
    states: list[str]
    reply: str | None
    addresses: list[str]
    originals: list[str]
    each_state: list[str]
    each_due: list[datetime]
    each_reply: list[str]


@dataclass(frozen=True, slots=True)
class Message:
    """A message under way."""

    mail_from: str
    size: int
    first_seen: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient: what those under way and finished ones have in common."""

    n: int
    address: str
    original: str
    mailbox_id: UUID | None
    state: str
    tries: int
    in_doubt: int
    status: str
    reply: str
    remote_host: str | None


@dataclass(frozen=True, slots=True)
class UnderWay(Recipient):
    """A recipient under way."""

    due: datetime


@dataclass(frozen=True, slots=True)
class Finished(Recipient):
    """A finished recipient."""

    mail_from: str
    first_seen: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was not final."""

    n: int
    attempt: int
    at: datetime
    outcome: str
    status: str
    reply: str
    remote_host: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages are listed; None: any. `domain` is a recipient's, in lower case."""

    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    state: str | None = None


class Records:
    """The statements of `records.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def window_end(self, after: UUID, size: int) -> UUID | None:
        """Return the last of the `size` messages after `after`; None if there are fewer."""
        found: UUID | None = await self._pool.fetchval(queries.window_end, after, size)
        return found

    async def messages(self, after: UUID, until: UUID | None, limit: int, wanted: Filter, named: int) -> list[Listed]:
        """Return messages under way, oldest first, after `after` up to `until`, with their first `named` recipients."""
        rows = await self._pool.fetch(
            queries.list_messages,
            after,
            limit,
            wanted.sender,
            wanted.recipient,
            wanted.domain,
            wanted.state,
            until,
            named,
        )
        return [_of(Listed, row) for row in rows]

    async def message(self, queue_id: UUID) -> Message | None:
        """Return a message under way."""
        row = await self._pool.fetchrow(queries.show_message, queue_id)
        return _of(Message, row) if row else None

    async def under_way(self, queue_id: UUID, after: int, limit: int) -> list[UnderWay]:
        """Return recipients under way by number, above `after`."""
        return [_of(UnderWay, row) for row in await self._pool.fetch(queries.show_recipients, queue_id, after, limit)]

    async def finished(self, queue_id: UUID, after: int, limit: int) -> list[Finished]:
        """Return finished recipients by number, above `after`."""
        return [_of(Finished, row) for row in await self._pool.fetch(queries.show_finished, queue_id, after, limit)]

    async def attempts(self, queue_id: UUID, numbers: Sequence[int], most: int) -> list[Attempt]:
        """Return the last `most` earlier attempts of each of the recipients `numbers`, oldest first."""
        return [_of(Attempt, row) for row in await self._pool.fetch(queries.show_attempts, queue_id, numbers, most)]

    async def retry_window(self, after: Key, last: UUID, size: int) -> Key | None:
        """Return the last of the `size` recipients after `after` of messages up to `last`; None if there are fewer."""
        row = await self._pool.fetchrow(queries.retry_window, *after, last, size)
        return (row["message_id"], row["n"]) if row else None

    async def retry(self, after: Key, until: Key, now: datetime) -> list[Pair]:
        """Make the waiting recipients after `after` up to `until` due at `now`; return the pair of each."""
        rows = await self._pool.fetch(queries.retry_now, *after, *until, now)
        return [(row["flow"], row["destination"]) for row in rows]


Row = TypeVar("Row", Listed, Message, UnderWay, Finished, Attempt)


def _of(kind: type[Row], row: asyncpg.Record) -> Row:
    return kind(**{field.name: row[field.name] for field in fields(kind)})
