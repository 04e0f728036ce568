"""Which domains and flows have mail that is due: a walk over the whole queue, in steps."""

from datetime import UTC, datetime

import asyncpg

from mailkit.clock import Clock
from queue_worker.ready import Pair, Ready
from queue_worker.shares import NO_FLOW
from queue_worker.storage.queue import sql

#: Pairs of domain and flow that one look for due mail walks over.
WALK = 500
#: Later than any due time.
NEVER = datetime.max.replace(tzinfo=UTC)


class Walk:
    """Notes in `ready` what is due; what was enqueued just now is noted by those who enqueue."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, ready: Ready) -> None:
        self._pool = pool
        self._clock = clock
        self._ready = ready
        self._cursor: Pair = (NO_FLOW, "")
        self._seen_due = NEVER
        self.oldest_due = NEVER
        """The earliest due time that the last whole round over the queue saw."""

    async def look(self) -> bool:
        """Walk on over the pairs in the queue and note those with something due. True: the round is complete."""
        flow, domain = self._cursor
        rows = await self._pool.fetch(sql.due_destinations, self._clock.now(), domain, flow, WALK)
        self._ready.add((row["flow"], row["destination"]) for row in rows if row["is_due"])
        over = len(rows) < WALK
        self._seen_due = min((self._seen_due, *(row["due"] for row in rows)))
        if over:
            self.oldest_due, self._seen_due = self._seen_due, NEVER
        self._cursor = (NO_FLOW, "") if over else (rows[-1]["flow"], rows[-1]["destination"])
        return over
