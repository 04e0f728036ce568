"""The trace: how messages came, what happened to them and where they are, by id, account, Message-ID, address, client or host."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries

queries = Queries("queue_worker.storage", "trace.sql")

#: Pauses, routes and their ends that are read of one kind and value.
LAST = 50


@dataclass(frozen=True, slots=True)
class Accepted:
    """How a message came; all but its id are None if code before 0011 took it."""

    id: UUID
    at: datetime | None
    mail_from: str | None
    size: int | None
    account: UUID | None
    account_address: str | None
    by: str | None
    granted_at: datetime | None
    client_address: str | None
    listener: str | None
    tls: str | None
    helo: str | None
    header_id: str | None
    bounce_of: UUID | None
    verdicts: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An attempt that ended, or what a recipient's state is; `at` of one that waits is its next try."""

    message_id: UUID
    n: int
    at: datetime | None
    event: str
    recipient: str | None
    status: str
    reply: str
    remote_host: str | None
    connection: str | None
    """The host's address, TLS version and cipher, and whether its name was verified."""
    remote: bool
    """Whether the recipient is known to be elsewhere."""
    via: str | None
    """Of a recipient: the address of ours whose forward or catch-all leads to it."""
    sender: str | None
    """Of a recipient: the envelope sender of its copy, if it is not the message's."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator did to a recipient, or to what `kind` and `value` name."""

    at: datetime
    action: str
    actor: str
    reason: str
    kind: str | None
    value: str | None
    message_id: UUID | None = None
    n: int | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages are meant; None: any. `address`, in lower case: of the sender or of a recipient."""

    account: UUID | None = None
    header_id: str | None = None
    address: str | None = None
    client: str | None = None
    host: str | None = None
    by: str | None = None


class Traces:
    """The statements of `trace.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def matching(
        self, low: UUID, high: UUID, wanted: Wanted, window: int, limit: int
    ) -> tuple[list[UUID], UUID | None]:
        """Look at the last `window` messages between `low` and `high`, or at those of the account or Message-ID.

        Return up to `limit` that match, the latest first, and before which message to go on, None if no more follow.
        """
        w = wanted
        start: UUID | None
        if w.account is not None or w.header_id is not None:
            # as many as are looked at: the other conditions apply to them
            statement, key = (queries.of_account, w.account) if w.account else (queries.with_header, w.header_id)
            ids = [row["id"] for row in await self._pool.fetch(statement, low, high, key, limit)]
            start = ids[-1] if len(ids) == limit else None
            return await self._those(ids, w), start
        start = await self._pool.fetchval(queries.window_start, low, high, window)
        floor = UUID(int=start.int - 1) if start else low
        rows = await self._pool.fetch(queries.within, floor, high, w.address, w.client, w.host, limit, None, w.by)
        ids = [row["id"] for row in rows]
        return ids, ids[-1] if len(ids) == limit else start

    async def _those(self, ids: Sequence[UUID], w: Wanted) -> list[UUID]:
        """Return those of `ids`, the latest first, that match the conditions without an index of their own."""
        if not ids or w.address is w.client is w.host is w.by is None:
            return list(ids)
        low, high = UUID(int=ids[-1].int - 1), UUID(int=ids[0].int + 1)
        rows = await self._pool.fetch(queries.within, low, high, w.address, w.client, w.host, len(ids), ids, w.by)
        return [row["id"] for row in rows]

    async def accepted(self, ids: Sequence[UUID]) -> list[Accepted]:
        """Return how the messages `ids` came, the latest first."""
        return [_accepted(row) for row in await self._pool.fetch(queries.accepted, ids)]

    async def events(self, ids: Sequence[UUID], recipients: int) -> list[Event]:
        """Return the attempts for the first `recipients` of each message, and where they are now, in no order."""
        return [Event(*row) for row in await self._pool.fetch(queries.events, ids, recipients)]

    async def acts(self, ids: Sequence[UUID], recipients: int) -> list[Act]:
        """Return what operators did to the first `recipients` of each of the messages `ids`, in no order."""
        return [Act(**dict(row)) for row in await self._pool.fetch(queries.acts, ids, recipients)]

    async def standing(self, keys: Sequence[tuple[str, str]]) -> list[Act]:
        """Return the last pauses, routes and their ends of each kind and value in `keys`, the latest of each first."""
        columns = [kind for kind, _ in keys], [value for _, value in keys]
        return [Act(**dict(row)) for row in await self._pool.fetch(queries.standing, *columns, LAST)]


def _accepted(row: asyncpg.Record) -> Accepted:
    return Accepted(**{field.name: row[field.name] for field in fields(Accepted)})
