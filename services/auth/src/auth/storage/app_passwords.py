"""App passwords: one transaction per change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.storage import events
from auth.storage.accounts import nobody
from auth.storage.callers import CallerPool
from mailkit.ids import new_id
from mailkit.postgres.pool import Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "app_passwords.sql")
Row = asyncpg.Record

#: Limit of app passwords of a mailbox.
MOST = 50


@dataclass(frozen=True, slots=True)
class Secret:
    """An app password as it is stored: the part by which its row is found, and a digest of all of it."""

    selector: str
    digest: bytes


class AppPasswords:
    """The statements of `app_passwords.sql`. Each change is an event of the trace in its transaction."""

    def __init__(self, pool: CallerPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def of(self, mailbox_id: UUID) -> list[Row]:
        """Return a mailbox's app passwords by name."""
        async with translated():
            return await self._pool.fetch(queries.of, mailbox_id)

    async def make(
        self,
        address: str,
        name: str,
        secret: Secret,
        protocols: Sequence[str],
        networks: Sequence[str],
        expires_at: datetime | None,
        now: datetime,
    ) -> Row | None:
        """Add an app password; None if its mailbox has one of this name or MOST of them. Raises NotFound."""
        async with translated(), self._pool.acquire() as connection:
            box = await connection.fetchval(queries.lock, address)
            if box is None:
                raise nobody(address)
            values = (new_id(), box, name, secret.selector, secret.digest, protocols, networks, expires_at, now, MOST)
            row = await connection.fetchrow(queries.make, *values)
            if row is not None:
                await events.add(connection, "app_password_made", address, now, mailbox_id=box, detail=name)
        return row

    async def revoke(self, address: str, id: UUID) -> bool:
        """Delete an app password and its mailbox's grants; False if there is none.

        The grants go second: a login that was faster has committed its grant when the deletion no longer waits for it.
        """
        async with translated(), self._pool.acquire() as connection:
            row = await connection.fetchrow(queries.revoke, address, id)
            if row is not None:
                box = row["mailbox_id"]
                await connection.execute(queries.drop_grants, box)
                now = self._clock.now()
                await events.add(connection, "app_password_revoked", address, now, mailbox_id=box, detail=row["name"])
        return row is not None

    async def set_main(self, address: str, enabled: bool) -> None:
        """Say whether the main password is good for mail clients; switched off, its sessions and grants end. Raises NotFound."""
        async with translated(), self._pool.acquire() as connection:
            box = await connection.fetchval(queries.lock, address)
            if box is None:
                raise nobody(address)
            if await connection.fetchval(queries.set_main, box, enabled) is not None:
                if not enabled:
                    await connection.execute(queries.drop_grants, box)
                said = "on" if enabled else "off"
                now = self._clock.now()
                await events.add(connection, "main_password_set", address, now, mailbox_id=box, detail=said)
