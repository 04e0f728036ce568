"""Recipients that are due, their claims by one worker, and the leases and marks of these claims (decision 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from mailkit.postgres.pool import Queries, translated
from queue_worker.models import Claim, Pair

queries = Queries("queue_worker.storage", "claims.sql")


@dataclass(frozen=True, slots=True)
class Due:
    """A pair of flow and domain with due recipients: their number, and their earliest and latest due time.

    `paused`: an operator lets none of them be tried.
    """

    pair: Pair
    due: datetime
    last: datetime
    recipients: int
    paused: bool


class Claims:
    """The statements of `claims.sql`, for one worker."""

    def __init__(self, pool: asyncpg.Pool, worker: UUID) -> None:
        self._pool = pool
        self._worker = worker

    async def local(self, now: datetime, until: datetime, most: int, after: datetime) -> list[Claim]:
        """Claim up to `most` recipients with a local mailbox that became due after `after`, under a lease that ends at `until`."""
        rows = await self._pool.fetch(queries.claim_local, now, self._worker, until, most, after)
        return [Claim(**dict(row)) for row in rows]

    async def remote(
        self,
        now: datetime,
        until: datetime,
        pairs: Sequence[Pair],
        most: Sequence[int],
        since: Sequence[datetime],
    ) -> list[Claim]:
        """Claim due remote recipients under leases that end at `until`.

        Of each of `pairs` as many as `most` says, among those that became due at `since` or later.
        """
        rows = await self._pool.fetch(
            queries.claim_remote,
            now,
            self._worker,
            until,
            most,
            [domain for _, domain in pairs],
            [flow for flow, _ in pairs],
            since,
        )
        return [Claim(**dict(row)) for row in rows]

    async def due(self, after: datetime, now: datetime, most: int) -> list[Due]:
        """Return the pairs of the first `most` remote recipients that became due after `after` and up to `now`.

        More recipients are looked at if they became due at the same time as the last one.
        """
        rows = await self._pool.fetch(queries.due_destinations, now, after, most)
        facts = ("due", "last", "recipients", "paused")
        return [Due((row["flow"], row["destination"]), *(row[name] for name in facts)) for row in rows]

    async def pauses(self) -> str:
        """Return a word for the pauses that there are: another one when a pause began or ended."""
        found: str = await self._pool.fetchval(queries.pauses_mark)
        return found

    async def renew(self, claims: Sequence[Claim], until: datetime) -> None:
        """Extend the leases of `claims` to `until`, except those that are lost."""
        await self._pool.execute(queries.renew, *fences(claims), self._worker, until)

    async def take_over(self, now: datetime, latest: datetime) -> None:
        """End all leases of all workers; none of them ends after `latest`."""
        await self._pool.execute(queries.take_over, now, latest)

    async def mark_dot(self, claims: Sequence[Claim], at_least: datetime) -> set[Claim]:
        """Commit the "dot sent" mark of those claims whose lease lasts beyond `at_least`; return them.

        Raises Unavailable.
        """
        async with translated():
            rows = await self._pool.fetch(queries.mark_dot, *fences(claims), self._worker, at_least)
        marked = {tuple(row) for row in rows}
        return {c for c in claims if (c.message_id, c.n, c.attempt) in marked}


def fences(claims: Sequence[Claim]) -> tuple[list[UUID], list[int], list[int]]:
    """Return the columns by which every write about `claims` is fenced: message id, number, attempt."""
    return [c.message_id for c in claims], [c.n for c in claims], [c.attempt for c in claims]
