"""The audit: read in pages, and its old rows removed by the owner's function. Triggers write it (docs/decisions/0119)."""

from datetime import datetime

import asyncpg

from auth.storage.callers import CallerPool
from mailkit.postgres.pool import Queries, translated
from mailkit.postgres.singleton import Singleton
from mailkit.rpc.caller import Caller

queries = Queries("auth.storage", "audit.sql")
#: Higher than any number.
LAST = 2**63 - 1


class Audit:
    """The statements of `audit.sql`."""

    def __init__(self, callers: CallerPool) -> None:
        self._callers = callers

    async def page(
        self, caller: Caller, below: int, actor: str | None, changed: str | None, since: datetime | None, limit: int
    ) -> list[asyncpg.Record]:
        """Return what the caller may see of the audit, the latest first; `changed`: the address or name of an object."""
        async with translated():
            return await self._callers.fetch(
                queries.page, below, actor, changed, since, caller.customer, caller.domain, limit
            )


async def remove_audit(singleton: Singleton, before: datetime) -> int:
    """Remove a slice of what is older than `before`, and than 90 days. Raises LeaseLost."""
    async with singleton.step() as connection:
        return int(await connection.fetchval(queries.remove, before))
