"""A walk over the whole queue, in steps, that finds the domains and flows with due mail."""

from datetime import UTC, datetime

from mailkit.process.clock import Clock
from queue_worker.delivery.ready import Ready
from queue_worker.models import NO_FLOW, Pair
from queue_worker.storage.claims import Claims

#: Pairs of domain and flow of one step.
WALK = 500
#: Later than any due time.
NEVER = datetime.max.replace(tzinfo=UTC)


class Walk:
    """Adds the pairs with due mail to `ready`. Pairs just enqueued are added by the code that enqueues them."""

    def __init__(self, claims: Claims, clock: Clock, ready: Ready) -> None:
        self._claims = claims
        self._clock = clock
        self._ready = ready
        self._cursor: Pair = (NO_FLOW, "")
        self._seen_due = NEVER
        self.oldest_due = NEVER
        """The earliest due time seen by the last complete round over the queue."""

    async def step(self) -> bool:
        """Look at the next pairs in the queue and add those with due mail; True if the round is complete."""
        found = await self._claims.due(self._clock.now(), self._cursor, WALK)
        self._ready.add(each.pair for each in found if each.is_due)
        over = len(found) < WALK
        self._seen_due = min((self._seen_due, *(each.due for each in found)))
        if over:
            self.oldest_due, self._seen_due = self._seen_due, NEVER
        self._cursor = (NO_FLOW, "") if over else found[-1].pair
        return over
