"""Routes that operators set."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from mailkit.postgres.pool import Queries
from queue_worker.storage.operations import OperatorAction, note

queries = Queries("queue_worker.storage", "routes.sql")

#: Most routes; each worker has all of them in memory.
MOST = 2000


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route as operators see it: which mail it is for, and where that goes. The password is never among it.

    `pool`: a HELO name and one or two addresses each, separated by spaces.
    """

    kind: str
    value: str
    host: str | None
    port: int
    tls: str
    username: str | None
    source_address: str | None
    helo: str | None
    pool: list[str]
    changed_at: datetime


class Routes:
    """The statements of `routes.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def page(self, after: tuple[str, str], limit: int) -> list[RouteRow]:
        """Return routes by kind and value, above `after`."""
        return [RouteRow(**dict(row)) for row in await self._pool.fetch(queries.routes, *after, limit)]

    async def all(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return all routes by kind and value, with their passwords."""
        rows = [dict(row) for row in await self._pool.fetch(queries.all_routes, MOST)]
        return {(row.pop("kind"), row.pop("value")): row for row in rows}

    async def mark(self) -> str:
        """Return a word for the routes that there are: another one when one changed."""
        found: str = await self._pool.fetchval(queries.routes_mark)
        return found

    async def put(self, row: RouteRow, password: str, operation: OperatorAction) -> RouteRow | None:
        """Set a route; None if there are MOST others."""
        facts = (
            row.host,
            row.port,
            row.tls,
            row.username,
            password,
            row.source_address,
            row.helo,
            row.pool,
            row.changed_at,
        )
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(queries.put_route, row.kind, row.value, *facts, MOST)
            if rows:
                await note(connection, operation)
        return RouteRow(**dict(rows[0])) if rows else None

    async def delete(self, operation: OperatorAction) -> RouteRow | None:
        """Delete the route of the operation's kind and value; None if there is none."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(queries.delete_route, operation.kind, operation.value)
            if row:
                await note(connection, operation)
        return RouteRow(**dict(row)) if row else None
