"""Changes by operators: recipients held, released, made due and taken to be given up; pauses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries
from queue_worker.models import HELD, Claim, Key, Pair
from queue_worker.storage.operations import OperatorAction, note
from queue_worker.storage.records import Window

queries = Queries("queue_worker.storage", "records.sql", "actions.sql")


@dataclass(frozen=True, slots=True)
class Paused:
    """Mail that is not tried: all of it, a destination's, or an account's. `value` is a domain or a mailbox's id."""

    kind: str
    value: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A recipient claimed to be given up, with what its last attempt said."""

    claim: Claim
    status: str
    reply: str
    remote_host: str | None
    diagnostic: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change did. `found`: recipients that match and that it changes or that are being tried; those changed, and their messages."""

    found: int
    recipients: int
    messages: int
    pairs: list[Pair]


class Actions:
    """The statements of `actions.sql`, for one worker."""

    def __init__(self, pool: asyncpg.Pool, worker: UUID) -> None:
        self._pool = pool
        self._worker = worker

    async def hold(self, window: Window, operation: OperatorAction) -> Effect:
        """Hold waiting recipients that are not held."""
        return await self._change(window, "waiting", operation.at, HELD, operation)

    async def release(self, window: Window, operation: OperatorAction) -> Effect:
        """Make held recipients due now."""
        return await self._change(window, "held", None, operation.at, operation)

    async def retry(self, window: Window, operation: OperatorAction) -> Effect:
        """Make waiting recipients that are not held due now."""
        return await self._change(window, "waiting", None, operation.at, operation)

    async def route(self, window: Window, operation: OperatorAction) -> Effect:
        """Give remote recipients the operation's route, or none, and make those that are not held due now."""
        arguments = (*window.arguments, operation.value or None, operation.at, operation.id)
        return await self._effect(queries.reroute, arguments, operation)

    async def has_route(self, name: str) -> bool:
        """Return whether there is a route of that name."""
        return bool(await self._pool.fetchval(queries.a_route, name))

    async def _change(
        self, window: Window, state: str, held: datetime | None, due: datetime, operation: OperatorAction
    ) -> Effect:
        return await self._effect(queries.change, (*window.arguments, state, held, due, operation.id), operation)

    async def _effect(self, statement: str, arguments: Sequence[Any], operation: OperatorAction) -> Effect:
        async with self._pool.acquire() as connection, connection.transaction():
            (row,) = await connection.fetch(statement, *arguments)
            if row["recipients"]:
                await note(connection, operation, row["recipients"])
        pairs = list(zip(row["flows"] or (), row["destinations"] or (), strict=True))
        return Effect(row["found"], row["recipients"], row["messages"], pairs)

    async def take(self, keys: Sequence[Key], operation: OperatorAction, until: datetime) -> list[Taken]:
        """Claim the waiting recipients of `keys`, held ones too, until `until`, to give them up by `operation`."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                queries.take, *_columns(keys), operation.at, self._worker, until, operation.id
            )
            if rows:
                await note(connection, operation, len(rows))
        said = ("status", "reply", "remote_host", "diagnostic")
        return [
            Taken(Claim(**{k: v for k, v in row.items() if k not in said}), *(row[name] for name in said))
            for row in rows
        ]

    async def pauses(self, after: tuple[str, str], limit: int) -> list[Paused]:
        """Return pauses by kind and value, above `after`."""
        return [Paused(**dict(row)) for row in await self._pool.fetch(queries.pauses, *after, limit)]

    async def pause(self, operation: OperatorAction) -> Paused:
        """Add a pause; a repeated one keeps its time."""
        o = operation
        async with self._pool.acquire() as connection, connection.transaction():
            (row,) = await connection.fetch(queries.pause, o.kind, o.value, o.at, o.reason)
            await note(connection, operation)
        return Paused(**dict(row))

    async def resume(self, operation: OperatorAction) -> Paused | None:
        """End a pause; None if there is none."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(queries.resume, operation.kind, operation.value)
            if row:
                await note(connection, operation)
        return Paused(**dict(row)) if row else None

    async def pauses_of(self, account: UUID | None, domains: Sequence[str]) -> list[Paused]:
        """Return the pauses that keep a message of `account` from `domains`."""
        return [Paused(**dict(row)) for row in await self._pool.fetch(queries.pauses_of, account, domains)]


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[int]]:
    return [message_id for message_id, _ in keys], [n for _, n in keys]
