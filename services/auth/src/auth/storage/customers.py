"""Operators' changes to customers and plans."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from auth.storage import events
from auth.storage.callers import CallerPool
from mailkit.errors import Conflict, NotFound
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "customers.sql")
Row = asyncpg.Record


class Customers:
    """The statements of `customers.sql`. Each change is an event of the trace in its transaction."""

    def __init__(self, pool: CallerPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with translated(), self._pool.acquire() as connection:
            yield connection

    async def add_plan(self, name: str, limits: str, now: datetime) -> None:
        """Add a plan; `limits`: JSON. Raises Conflict."""
        async with self._transaction() as connection:
            if await connection.fetchval(queries.add_plan, new_id(), name, limits, now) is None:
                raise Conflict(f"plan {name} exists already; `postrider plan set` changes it")
            await events.add(connection, "plan_added", name, now, detail=limits)

    async def plan(self, name: str) -> Row:
        """Return a plan. Raises NotFound."""
        async with translated():
            row = await self._pool.fetchrow(queries.plan, name)
        if row is None:
            raise no_plan(name)
        return row

    async def plans(self, after: str, limit: int) -> list[Row]:
        """Return plans by name, above `after`."""
        async with translated():
            return await self._pool.fetch(queries.plans, after, limit)

    async def set_plan(self, name: str, limits: str) -> None:
        """Set the fields that `limits` (JSON) has. Raises NotFound."""
        async with self._transaction() as connection:
            if await connection.fetchval(queries.set_plan, name, limits) is None:
                raise no_plan(name)
            await events.add(connection, "plan_set", name, self._clock.now(), detail=limits)

    async def delete_plan(self, name: str) -> None:
        """Delete a plan. Raises NotFound, Conflict (customers have it)."""
        await self._delete(queries.delete_plan, name, "plan_deleted", no_plan(name), "customers have")

    async def add_customer(self, name: str, plan: str | None, now: datetime) -> None:
        """Add a customer. Raises Conflict, NotFound (the plan)."""
        async with self._transaction() as connection:
            plan_id = await self._plan_id(connection, plan)
            if await connection.fetchval(queries.add_customer, new_id(), name, plan_id, now) is None:
                raise Conflict(f"customer {name} exists already")
            await events.add(connection, "customer_added", name, now, detail=f"plan {plan}" if plan else "")

    async def customer(self, name: str) -> Row:
        """Return a customer. Raises NotFound."""
        async with translated():
            row = await self._pool.fetchrow(queries.customer, name)
        if row is None:
            raise no_customer(name)
        return row

    async def customers(self, after: str, limit: int) -> list[Row]:
        """Return customers by name, above `after`."""
        async with translated():
            return await self._pool.fetch(queries.customers, after, limit)

    async def set_customer(self, name: str, plan: str | None) -> None:
        """Give a customer a plan, or none. Raises NotFound."""
        async with self._transaction() as connection:
            plan_id = await self._plan_id(connection, plan)
            if await connection.fetchval(queries.set_customer, name, plan_id) is None:
                raise no_customer(name)
            await events.add(connection, "customer_set", name, self._clock.now(), detail=f"plan {plan or '-'}")

    async def delete_customer(self, name: str) -> None:
        """Delete a customer. Raises NotFound, Conflict (domains are theirs)."""
        await self._delete(queries.delete_customer, name, "customer_deleted", no_customer(name), "domains belong to")

    async def set_domain_customer(self, domain: str, customer: str | None) -> None:
        """Give a domain to a customer, or to none. Raises NotFound."""
        async with self._transaction() as connection:
            owner = await customer_id(connection, customer)
            if await connection.fetchval(queries.set_domain_customer, domain, owner) is None:
                raise NotFound(f"there is no domain {domain}; `postrider domain ls` shows what there is")
            await events.add(connection, "domain_customer_set", domain, self._clock.now(), detail=customer or "-")

    async def _plan_id(self, connection: Connection, name: str | None) -> UUID | None:
        if name is None:
            return None
        found: UUID | None = await connection.fetchval(queries.plan_id, name)
        if found is None:
            raise no_plan(name)
        return found

    async def _delete(self, statement: str, name: str, kind: str, none: NotFound, users: str) -> None:
        try:
            async with self._transaction() as connection:
                if await connection.fetchval(statement, name) is None:
                    raise none
                await events.add(connection, kind, name, self._clock.now())
        except asyncpg.ForeignKeyViolationError:
            raise Conflict(f"{users} {name} still") from None


async def customer_id(connection: Connection, name: str | None) -> UUID | None:
    """Return the id of a customer, who stays until the transaction ends; None for None. Raises NotFound."""
    if name is None:
        return None
    found: UUID | None = await connection.fetchval(queries.customer_id, name)
    if found is None:
        raise no_customer(name)
    return found


def no_plan(name: str) -> NotFound:
    return NotFound(f"there is no plan {name}; `postrider plan ls` shows what there is")


def no_customer(name: str) -> NotFound:
    return NotFound(f"there is no customer {name}; `postrider customer ls` shows who there is")
