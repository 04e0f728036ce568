"""What operators see of messages under way and of the history."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries
from queue_worker.models import Key

queries = Queries("queue_worker.storage", "records.sql")

_LAST = UUID(int=2**128 - 1)
#: Messages named by their ids that one statement looks at, whatever the number of their recipients.
SOME = 20


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
    account: UUID | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient: what those under way and finished ones have in common."""

    n: int
    address: str
    original: str
    local: bool
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
    held_at: datetime | None


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
class Counted:
    """Recipients that have `key` in common, in all and by state; `oldest`: when the first of their messages was accepted."""

    key: str
    recipients: int
    waiting: int
    claimed: int
    held: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """Which recipients are meant; None: any. `domain` is in lower case; `since`, `until`: when the message was accepted."""

    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    account: UUID | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reply: str | None = None
    ids: list[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A recipient that a filter matches. `state`: waiting, claimed or held."""

    message_id: UUID
    n: int
    state: str
    remote: bool

    @property
    def key(self) -> Key:
        """The recipient."""
        return self.message_id, self.n


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the queue that one statement looks at: the messages after `after` up to `end` (None: no more follow), or `ids`."""

    after: UUID
    end: UUID | None
    ids: list[UUID] | None
    wanted: Filter

    @property
    def arguments(self) -> tuple[object, ...]:
        """The arguments of the query `matching`."""
        w = self.wanted
        return (
            self.after,
            self.end or _LAST,
            self.ids,
            w.sender,
            w.account,
            w.until,
            w.since,
            w.recipient,
            w.domain,
            w.state,
            w.reply,
        )


class Records:
    """The statements of `records.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def window(self, after: UUID, wanted: Filter, size: int) -> Window:
        """Return the next `size` recipients after message `after`, with the others of the last one's message."""
        if wanted.ids is None:
            return Window(after, await self._pool.fetchval(queries.window_end, after, size), None, wanted)
        left = sorted(id for id in wanted.ids if id > after)
        ids = left[:SOME]
        return Window(after, ids[-1] if len(left) > SOME else None, ids, wanted)

    async def matching(self, window: Window) -> list[Matched]:
        """Return the recipients of `window` that match."""
        rows = await self._pool.fetch(queries.matching, *window.arguments)
        return [Matched(row["message_id"], row["n"], row["state"], row["remote"]) for row in rows]

    async def matching_messages(self, window: Window, limit: int) -> list[UUID]:
        """Return the first `limit` messages of `window` with recipients that match."""
        rows = await self._pool.fetch(queries.matching_messages, *window.arguments, limit)
        return [row["message_id"] for row in rows]

    async def top(self, window: Window, by: str) -> list[Counted]:
        """Count the recipients of `window` that match, by sender, account, reply or domain."""
        return [_of(Counted, row) for row in await self._pool.fetch(queries.top, *window.arguments, by)]

    async def unknown(self, ids: Sequence[UUID]) -> UUID | None:
        """Return one of `ids` that is neither under way nor in the history."""
        found: UUID | None = await self._pool.fetchval(queries.unknown, ids)
        return found

    async def messages(self, ids: Sequence[UUID], named: int) -> list[Listed]:
        """Return those of the messages `ids` that are under way, oldest first, with their first `named` recipients."""
        return [_of(Listed, row) for row in await self._pool.fetch(queries.list_messages, ids, named)]

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


Row = TypeVar("Row", Listed, Counted, Message, UnderWay, Finished, Attempt)


def _of(kind: type[Row], row: asyncpg.Record) -> Row:
    return kind(**{field.name: row[field.name] for field in fields(kind)})
