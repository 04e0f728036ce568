"""Keys for DKIM: rows of `auth.dkim_keys`. Private keys are read by `private_keys` alone (docs/decisions/0088)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.keys import NewKey
from auth.storage.callers import CallerPool
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.postgres.singleton import Singleton

queries = Queries("auth.storage", "dkim.sql")
#: Time limit of the statements of the mail flow (seconds).
PATIENCE = 6.0


async def add(connection: Connection, domain: str, keys: Sequence[NewKey], now: datetime) -> None:
    """Add new keys of a domain; one that it has already is left out."""
    for key in keys:
        await connection.execute(
            queries.add, new_id(), domain, key.selector, key.algorithm, key.private_key, key.record, now
        )


class DkimKeys:
    """The statements of `dkim.sql`. `questions`: connections of the mail flow."""

    def __init__(self, pool: CallerPool, questions: asyncpg.Pool) -> None:
        self._pool = pool
        self._questions = questions

    async def of(self, domain: str) -> list[asyncpg.Record]:
        """Return a domain's keys, without the private ones."""
        async with translated():
            return await self._pool.fetch(queries.keys, domain)

    async def add(self, domain: str, keys: Sequence[NewKey], now: datetime) -> None:
        """Add new keys; of a selector or of a new key for an algorithm, the first one counts."""
        async with translated(), self._pool.acquire() as connection:
            await add(connection, domain, keys, now)

    async def activate(self, domain: str, key: UUID, now: datetime) -> bool:
        """Sign with a new key from now on and no longer with the one that it replaces; False if it is not new."""
        async with translated(), self._pool.acquire() as connection:
            await connection.fetchval(queries.lock_domain, domain)
            await connection.execute(queries.retire, key, now)
            activated = await connection.fetchval(queries.activate, key, now)
            await connection.execute(queries.signs, domain)
            return activated is not None

    async def remove(self, domain: str) -> None:
        """Remove all keys of a domain, which signs nothing from now on."""
        async with translated(), self._pool.acquire() as connection:
            await connection.fetchval(queries.lock_domain, domain)
            await connection.execute(queries.remove_all, domain)
            await connection.execute(queries.signs, domain)

    # -- the mail flow

    async def signers(self, domains: Sequence[str]) -> list[asyncpg.Record]:
        """Return (domain, selector, algorithm) of the active keys of these domains."""
        async with translated():
            return list(await self._questions.fetch(queries.signers, domains, timeout=PATIENCE))

    async def private_keys(self, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """Return for each (domain, selector), in order, the private key (PKCS #8), None if there is none to sign with."""
        found: list[bytes | None] = [None] * len(wanted)
        async with translated():
            rows = await self._questions.fetch(
                queries.private_keys,
                range(len(wanted)),
                [domain for domain, _ in wanted],
                [selector for _, selector in wanted],
                timeout=PATIENCE,
            )
        for row in rows:
            found[row["n"]] = row["private_key"]
        return found

    # -- rotation

    async def due(self, now: datetime, limit: int) -> list[asyncpg.Record]:
        """Return new keys whose record is to be looked for."""
        async with translated():
            return await self._pool.fetch(queries.due, now, limit)

    async def postpone(self, key: UUID, until: datetime) -> None:
        """Look for the record of a new key again at `until`."""
        async with translated():
            await self._pool.execute(queries.postpone, key, until)

    async def aged(self, before: datetime, limit: int) -> list[asyncpg.Record]:
        """Return (domain, algorithm, selectors in use) of active keys from before `before` that have no successor."""
        async with translated():
            return await self._pool.fetch(queries.aged, before, limit)

    async def remove_old(self, singleton: Singleton, before: datetime) -> int:
        """Remove keys that were replaced before `before`; return their number. Raises LeaseLost."""
        async with singleton.step() as connection:
            status = await connection.execute(queries.remove_old, before)
        return int(status.rpartition(" ")[2])
