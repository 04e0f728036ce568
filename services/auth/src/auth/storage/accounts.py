"""Operators' changes to domains and mailboxes: one transaction per change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.keys import NewKey
from auth.limits import Quotas
from auth.storage import counts, dkim, events
from auth.storage.callers import CallerPool
from auth.storage.customers import customer_id
from auth.storage.verifiers import Verifier
from mailkit.errors import Conflict, NotFound
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.process.clock import Clock
from mailkit.rpc.caller import Caller

queries = Queries("auth.storage", "accounts.sql")
Row = asyncpg.Record


class Accounts:
    """The statements of `accounts.sql`. Each change is an event of the trace in its transaction."""

    def __init__(self, pool: CallerPool, clock: Clock, quotas: Quotas) -> None:
        self._pool = pool
        self._quotas = quotas
        self._clock = clock

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with translated(), self._pool.acquire() as connection:
            yield connection

    async def add_domain(
        self,
        name: str,
        identity: str,
        keys: Sequence[NewKey],
        now: datetime,
        alias_of: str | None = None,
        customer: str | None = None,
    ) -> None:
        """Add a domain with its DKIM keys, and its postmaster (P5) unless its addresses are those of `alias_of`.

        `identity`: its rule once it signs. Raises Conflict, NotFound (`alias_of`, `customer`).
        """
        async with self._transaction() as connection:
            if alias_of is not None:
                await self._share_real(connection, alias_of)
            owner = await customer_id(connection, customer)
            if await connection.fetchval(queries.add_domain, new_id(), name, now, identity, alias_of, owner) is None:
                raise Conflict(f"domain {name} is here already")
            await dkim.add(connection, name, keys, now)
            if alias_of is None:
                quota = self._quotas.chosen(None, (await counts.limits_for(connection, name)).limits)
                await connection.execute(queries.add_mailbox, new_id(), f"postmaster@{name}", name, None, quota, now)
            await events.add(connection, "domain_added", name, now, detail=f"alias of {alias_of}" if alias_of else "")

    async def _share_real(self, connection: Connection, name: str) -> None:
        """Require an open domain that is no alias, until the transaction ends. Raises NotFound, Conflict."""
        row = await connection.fetchrow(queries.share_domain, name)
        if row is None or row["state"] != "open":
            raise NotFound(f"there is no domain {name} here; add it first")
        if row["alias_of"] is not None:
            raise Conflict(f"{name} is an alias of {row['alias_of']}; use that domain")

    async def domain(self, name: str) -> Row:
        """Return a domain. Raises NotFound."""
        async with translated():
            row = await self._pool.fetchrow(queries.domain, name)
        if row is None:
            raise no_domain(name)
        return row

    async def domains(self, caller: Caller, after: str, limit: int) -> list[Row]:
        """Return the caller's domains by name, above `after`."""
        async with translated():
            if caller.domain is not None:
                return await self._pool.fetch(queries.domain, caller.domain) if caller.domain > after else []
            if caller.customer is not None:
                return await self._pool.fetch(queries.domains_of, after, limit, caller.customer)
            return await self._pool.fetch(queries.domains, after, limit)

    async def domains_of(self, customer: UUID, after: str, limit: int) -> list[Row]:
        """Return the domains of a customer by name, above `after`."""
        async with translated():
            return await self._pool.fetch(queries.domains_of, after, limit, customer)

    async def close_domain(self, name: str) -> None:
        """Refuse mail and new mailboxes from now on. Raises NotFound, Conflict (mailboxes other than postmaster's)."""
        async with self._transaction() as connection:
            await self._lock_empty(connection, name)
            await connection.execute(queries.close_domain, name)
            await connection.execute(queries.close_postmaster, name)
            await events.add(connection, "domain_closed", name, self._clock.now())

    async def delete_domain(self, name: str) -> None:
        """Delete a domain, its postmaster and its forwards. Raises the errors of `close_domain`."""
        async with self._transaction() as connection:
            await self._lock_empty(connection, name)
            await connection.execute(queries.delete_mailboxes_of, name)
            await connection.execute(queries.delete_domain, name)
            await events.add(connection, "domain_deleted", name, self._clock.now())

    async def _lock_empty(self, connection: Connection, name: str) -> None:
        if await connection.fetchval(queries.lock_domain, name) is None:
            raise no_domain(name)
        left = await connection.fetchval(queries.others_than_postmaster, name)
        if left:
            raise Conflict(f"domain {name} still has {left} mailboxes besides postmaster's; remove them first")
        if alias := await connection.fetchval(queries.an_alias, name):
            raise Conflict(f"{alias} is an alias of {name}; remove it first")

    async def set_catchall(self, name: str, kind: str, mailbox: UUID | None, targets: Sequence[str] | None) -> None:
        """Set a catch-all (L1). Raises NotFound, Conflict (an alias)."""
        async with self._transaction() as connection:
            if await connection.fetchval(queries.set_catchall, name, kind, mailbox, targets) is None:
                await self._share_real(connection, name)
                raise no_domain(name)
            said = " ".join([kind, str(mailbox or ""), *(targets or ())])
            await events.add(connection, "catchall_set", name, self._clock.now(), detail=said)

    async def set_tags(self, name: str, tags: bool) -> None:
        """Set whether a domain's addresses may have a tag. Raises NotFound."""
        async with self._transaction() as connection:
            if await connection.fetchval(queries.set_tags, name, tags) is None:
                raise no_domain(name)
            await events.add(connection, "tags_set", name, self._clock.now(), detail="on" if tags else "off")

    async def set_identity(self, name: str, level: str | None, by: str | None) -> None:
        """Set a domain's rule on sender addresses. Raises NotFound, Conflict (`off` for a domain that signs)."""
        async with self._transaction() as connection:
            if await connection.fetchval(queries.set_identity, name, level, by) is not None:
                said = f"{level or 'default'} {by or ''}".strip()
                await events.add(connection, "identity_set", name, self._clock.now(), detail=said)
                return
        await self.domain(name)
        raise Conflict(f"{name} signs its mail: the rule is log or enforce")

    async def add_mailbox(
        self,
        address: str,
        domain: str,
        hashed: str | None,
        quota: int | None,
        now: datetime,
        verifier: Verifier | None = None,
        *,
        at_old_host: bool = False,
    ) -> None:
        """Add a mailbox; `quota` None: the plan's, 0: none. `at_old_host`: its mail is there until the domain is switched. Raises NotFound (the domain), Conflict, BadRequest (the quota)."""
        async with self._transaction() as connection:
            limits = await counts.limits_for(connection, domain)
            await self._share_real(connection, domain)
            chosen = self._quotas.chosen(quota, limits.limits)
            mailbox_id = new_id()
            if await connection.fetchval(queries.exists, address):
                raise Conflict(f"mailbox {address} exists already")
            await counts.check_new_mailbox(connection, limits)
            await counts.check_quota(connection, limits, address, chosen)
            if await connection.fetchval(queries.add_mailbox, mailbox_id, address, domain, hashed, chosen, now) is None:
                raise Conflict(f"mailbox {address} exists already")
            if at_old_host:
                await connection.execute(queries.mark_at_old_host, mailbox_id)
            detail = "by a login at the old host" if at_old_host else ""
            await events.add(connection, "mailbox_added", address, now, mailbox_id=mailbox_id, detail=detail)
            await self._keep_verifier(connection, address, verifier, now)

    async def mailbox(self, address: str) -> Row:
        """Return a mailbox. Raises NotFound."""
        async with translated():
            row = await self._pool.fetchrow(queries.mailbox, address)
        if row is None:
            raise nobody(address)
        return row

    async def mailboxes(self, domain: str, after: str, limit: int) -> list[Row]:
        """Return a domain's mailboxes by address, above `after`."""
        async with translated():
            return await self._pool.fetch(queries.mailboxes, after, limit, domain)

    async def set_password(self, address: str, hashed: str, verifier: Verifier | None, now: datetime) -> None:
        """Set a password; the mailbox's sessions and grants end (decision 9). Raises NotFound."""
        async with self._transaction() as connection:
            await self._change_and_drop_grants(connection, queries.set_password, address, hashed, "password_changed")
            await connection.execute(queries.drop_verifier, address)
            await self._keep_verifier(connection, address, verifier, now)

    async def _keep_verifier(
        self, connection: Connection, address: str, verifier: Verifier | None, now: datetime
    ) -> None:
        if verifier is not None:
            keys = verifier.keys
            await connection.execute(
                queries.keep_verifier, address, verifier.salt, verifier.iterations, keys.stored, keys.server, now
            )

    async def disable(self, address: str, state: str) -> None:
        """Refuse logins and relaying; with `state` purging mail too, for good. Raises NotFound."""
        async with self._transaction() as connection:
            kind = "mailbox_disabled" if state == "disabled" else "mailbox_removing"
            await self._change_and_drop_grants(connection, queries.disable, address, state, kind)

    async def _change_and_drop_grants(
        self, connection: Connection, statement: str, address: str, value: str, kind: str
    ) -> None:
        box = await connection.fetchval(statement, address, value)
        if box is None:
            raise nobody(address)
        await connection.execute(queries.drop_grants, box)
        await events.add(connection, kind, address, self._clock.now(), mailbox_id=box)

    async def enable(self, address: str) -> bool:
        """Enable a mailbox; False if there is no such mailbox or it is being removed."""
        return await self._change(queries.enable, address, "mailbox_enabled")

    async def set_quota(self, address: str, quota: int) -> None:
        """Set a quota (P2), 0: none, and increment its version, so that mailstore uses the newer one.

        Raises NotFound, BadRequest (the bounds), Conflict (the domain's quota).
        """
        async with self._transaction() as connection:
            limits = await counts.limits_for(connection, address.rpartition("@")[2])
            chosen = self._quotas.chosen(quota, limits.limits)
            box = await connection.fetchval(queries.set_quota, address, chosen)
            if box is None:
                raise nobody(address)
            await counts.check_quota(connection, limits, address, chosen)
            await events.add(connection, "quota_changed", address, self._clock.now(), mailbox_id=box, detail=str(quota))

    async def delete_mailbox(self, address: str) -> bool:
        """Delete a mailbox; False if it is enabled or does not exist."""
        return await self._change(queries.delete_mailbox, address, "mailbox_deleted")

    async def _change(self, statement: str, address: str, kind: str) -> bool:
        async with self._transaction() as connection:
            box = await connection.fetchval(statement, address)
            if box is not None:
                await events.add(connection, kind, address, self._clock.now(), mailbox_id=box)
        return box is not None


def no_domain(name: str) -> NotFound:
    return NotFound(f"there is no domain {name}; `postrider domain ls` shows what there is")


def nobody(address: str) -> NotFound:
    return NotFound(
        f"there is no mailbox {address}; `postrider mailbox ls {address.rpartition('@')[2]}` shows what there is"
    )
