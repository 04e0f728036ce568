"""Rows of domains that move in, and of mailboxes that a login at the old host made (docs/decisions/0126)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from auth.storage import events
from auth.storage.callers import CallerPool
from auth.storage.directory import PATIENCE
from mailkit.errors import Conflict, NotFound
from mailkit.postgres.pool import Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "moves.sql")

#: Most domains that move at the same time: every replica has them in memory.
MOST = 2000


class MoveRows:
    """The statements of `moves.sql`. Each change is an event of the trace in its transaction."""

    def __init__(self, pool: CallerPool, questions: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._questions = questions
        self._clock = clock

    async def all(self) -> list[asyncpg.Record]:
        async with translated():
            return list(await self._questions.fetch(queries.all, MOST, timeout=PATIENCE))

    async def at_old_host(self, mailboxes: Sequence[UUID]) -> set[UUID]:
        """Return those of `mailboxes` that a login at the old host made and no switch has taken in."""
        async with translated():
            rows = await self._questions.fetch(queries.at_old_host, mailboxes, timeout=PATIENCE)
        return {row["mailbox_id"] for row in rows}

    # -- operators

    async def move(self, domain: str) -> asyncpg.Record:
        """Return a move. Raises NotFound."""
        async with translated():
            row = await self._pool.fetchrow(queries.move, domain)
        if row is None:
            raise no_move(domain)
        return row

    async def moves(self, after: str, limit: int) -> list[asyncpg.Record]:
        async with translated():
            return list(await self._pool.fetch(queries.moves, after, limit))

    async def start(self, domain: str, hosts: Sequence[Any], networks: Sequence[str]) -> None:
        """Begin a move, or replace the hosts of one; its phase stays. `hosts`: of IMAP and POP3, each name and port.

        Raises NotFound, Conflict.
        """
        now = self._clock.now()
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            found = await connection.fetchrow(queries.domain, domain)
            if found is None or found["state"] != "open":
                raise NotFound(f"there is no domain {domain} here; add it first")
            if found["alias_of"] is not None:
                raise Conflict(f"{domain} is an alias of {found['alias_of']}; it moves with that domain")
            if await connection.fetchval(queries.another, domain, MOST):
                raise Conflict(f"{MOST} domains are moving already; end some of their moves first")
            await connection.execute(queries.start, domain, *hosts, networks, now)
            await events.add(
                connection, "move_started", domain, now, detail=" ".join(str(each or "-") for each in hosts)
            )

    async def turn(self, domain: str, phase: str) -> None:
        """Set the phase and end the open sessions of the domain, which are at the wrong host. Raises NotFound."""
        now = self._clock.now()
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(queries.turn, domain, phase, now) is None:
                raise no_move(domain)
            if phase == "new":
                await connection.execute(queries.here, domain)
            await connection.execute(queries.end_sessions, domain)
            await events.add(connection, "move_switched" if phase == "new" else "move_back", domain, now)

    async def end(self, domain: str) -> None:
        """End a move whose domain is here. Raises NotFound, Conflict."""
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(queries.end, domain) is None:
                if await connection.fetchrow(queries.move, domain) is None:
                    raise no_move(domain)
                raise Conflict(f"the mail of {domain} is at its old host; switch the domain first")
            await connection.execute(queries.here, domain)
            await events.add(connection, "move_ended", domain, self._clock.now())

    # -- logins at the old host

    async def set_hash(self, mailbox_id: UUID, version: int, hashed: str) -> None:
        """Take over a password that was changed at the old host, unless it was changed here since `version`."""
        async with translated(), self._pool.acquire() as connection, connection.transaction():
            address = await connection.fetchval(queries.set_hash, mailbox_id, version, hashed)
            if address is not None:
                await connection.execute(queries.drop_grants, mailbox_id)  # as after any change of a password
                await events.add(
                    connection,
                    "password_changed",
                    address,
                    self._clock.now(),
                    mailbox_id=mailbox_id,
                    detail="by a login at the old host",
                )


def no_move(domain: str) -> NotFound:
    """Return the error for a domain that does not move."""
    return NotFound(f"{domain} does not move; `postrider domain move start` begins it")
