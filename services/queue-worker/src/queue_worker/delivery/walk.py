"""A walk over the whole queue, in steps, that finds the domains and flows with due mail."""

from datetime import UTC, datetime

import asyncpg

from mailkit.process.clock import Clock
from queue_worker.delivery.ready import Ready
from queue_worker.models import NO_FLOW, Pair
from queue_worker.storage.queue import sql

#: Pairs of domain and flow that one step looks at.
WALK = 500
#: Later than any due time.
NEVER = datetime.max.replace(tzinfo=UTC)


class Walk:
    """Adds the pairs with due mail to `ready`. Pairs just enqueued are added by the code that enqueues them."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, ready: Ready) -> None:
        self._pool = pool
        self._clock = clock
        self._ready = ready
        self._cursor: Pair = (NO_FLOW, "")
        self._seen_due = NEVER
        self.oldest_due = NEVER
        """The earliest due time seen by the last complete round over the queue."""

    async def look(self) -> bool:
        """Look at the next pairs in the queue and add those with due mail; True if the round is complete."""
        flow, domain = self._cursor
        rows = await self._pool.fetch(sql.due_destinations, self._clock.now(), domain, flow, WALK)
        self._ready.add((row["flow"], row["destination"]) for row in rows if row["is_due"])
        over = len(rows) < WALK
        self._seen_due = min((self._seen_due, *(row["due"] for row in rows)))
        if over:
            self.oldest_due, self._seen_due = self._seen_due, NEVER
        self._cursor = (NO_FLOW, "") if over else (rows[-1]["flow"], rows[-1]["destination"])
        return over
