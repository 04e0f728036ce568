"""MTA-STS policies of other domains, which all workers share (RFC 8461 3.3; docs/decisions/0095)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from mailkit.postgres.pool import Queries

queries = Queries("queue_worker.storage", "sts_policies.sql")

#: Most policies; of further domains none is kept, and each worker fetches it again.
MOST = 50_000
#: How long a policy without use is refreshed.
USED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """The policy of `domain`: its `id` in DNS, its `mode`, the patterns of its MX hosts, until when it is in force."""

    domain: str
    id: str
    mode: str
    mx: tuple[str, ...]
    max_age: int
    """In seconds."""
    expires: datetime


class StsPolicies:
    """The statements of `sts_policies.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(self, domain: str, now: datetime) -> StsPolicy | None:
        """Return the policy of `domain` that is in force, and note that it is used; None if there is none."""
        row = await self._pool.fetchrow(queries.policy, domain, now)
        if row is None:
            return None
        if row["unused"]:
            await self._pool.execute(queries.note_use, domain, now)
        return StsPolicy(row["domain"], row["id"], row["mode"], tuple(row["mx"]), row["max_age"], row["expires"])

    async def put(self, policy: StsPolicy, now: datetime, refresh: datetime) -> None:
        """Keep `policy`, which is fetched again at `refresh`, in place of the one before; nothing if there are MOST others."""
        p = policy
        await self._pool.execute(
            queries.put, p.domain, p.id, p.mode, list(p.mx), p.max_age, p.expires, now, refresh, MOST
        )

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Return domains whose policy is to be fetched again now."""
        rows = await self._pool.fetch(queries.due, now, now - USED, limit)
        return [row["domain"] for row in rows]

    async def postpone(self, domain: str, refresh: datetime) -> None:
        """Note that a fetch failed; the next one is at `refresh`."""
        await self._pool.execute(queries.postpone, domain, refresh)

    async def forget(self, now: datetime) -> None:
        """Delete what is no longer in force."""
        await self._pool.execute(queries.forget, now)
