"""Rename of a mailbox: one transaction for the address and all that names it (docs/decisions/0122)."""

import asyncpg

from auth.storage import counts, events
from auth.storage.accounts import nobody
from auth.storage.callers import CallerPool
from mailkit.errors import Conflict, NotFound
from mailkit.ids import new_id
from mailkit.postgres.pool import Connection, Queries, translated
from mailkit.process.clock import Clock

queries = Queries("auth.storage", "renames.sql")


class Renames:
    """The statements of `renames.sql`."""

    def __init__(self, pool: CallerPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def rename(self, old: str, new: str, domain: str, *, keep_old: bool) -> None:
        """Give a mailbox another address in `domain`; `keep_old`: the old one forwards to it.

        Its own forward, other forwards' and catch-alls' targets and its grants follow; all else goes by its id. Raises NotFound, Conflict.
        """
        left = old.rpartition("@")[2]
        both = sorted({left, domain})
        async with translated(), self._pool.acquire() as connection:
            await connection.execute(queries.lock_domains, both, old)
            limits = {name: await counts.limits_for(connection, name) for name in both}
            row = await connection.fetchrow(queries.lock_mailbox, old)
            if row is None:
                raise nobody(old)
            if row["state"] == "purging":
                raise Conflict(f"{old} is being removed")
            await self._require_domain(connection, left, domain)
            if left != domain:
                await counts.check_new_mailbox(connection, limits[domain])
                await counts.check_quota(connection, limits[domain], new, row["quota_limit"])
                if targets := await connection.fetchval(queries.targets, old):
                    await counts.check_forward(connection, limits[domain], new, targets)
            try:
                async with connection.transaction():
                    if await connection.fetchval(queries.is_taken, new):
                        raise Conflict(f"{new} exists already, as a mailbox or a forward")
                    await connection.execute(queries.rename_mailbox, row["id"], new, domain)
                    await connection.execute(queries.move_forward, old, new, domain)
            except asyncpg.UniqueViolationError:
                raise Conflict(f"{new} was added at the same moment") from None
            now = self._clock.now()
            await connection.execute(queries.move_grants, row["id"], domain)
            await connection.execute(queries.retarget_forwards, old, new)
            await connection.execute(queries.retarget_catchalls, old, new)
            if keep_old:
                await counts.check_forward(connection, limits[left], old, [new])
                await connection.execute(queries.keep_old_name, new_id(), old, left, new, now)
            await events.add(connection, "mailbox_renamed", old, now, mailbox_id=row["id"], detail=f"to {new}")
            await events.add(connection, "mailbox_renamed", new, now, mailbox_id=row["id"], detail=f"from {old}")

    async def _require_domain(self, connection: Connection, left: str, domain: str) -> None:
        """Require that a mailbox may go from the domain `left` to `domain`. Raises NotFound, Conflict."""
        same = await connection.fetchval(queries.same_customer, left, domain)
        if same is None:
            raise NotFound(f"there is no domain {domain} here, or it is an alias; add it first")
        if not same:
            raise Conflict(f"{domain} belongs to another customer")
        if (moving := await connection.fetchval(queries.moving, [left, domain])) is not None:
            raise Conflict(
                f"{moving} moves from an old host, which knows the old address only; rename when the move has ended"
            )
