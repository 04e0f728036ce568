"""A walk over the remote recipients that are due, in steps and by due time, that finds their domains and flows."""

import asyncio

from mailkit.process.clock import Clock
from queue_worker.delivery.floor import Floor
from queue_worker.delivery.ready import Ready
from queue_worker.delivery.shaping import Shaping
from queue_worker.models import EVER, NEVER
from queue_worker.storage.claims import Claims

#: Recipients of one step, and those that are due at the same time as the last of them.
WALK = 2000


class Walk:
    """Adds the pairs with due mail to `ready`. Pairs just enqueued are added by the code that enqueues them.

    Rounds pass over what is paused once, by an operator or by a host's reply (docs/decisions/0101); when a pause ends, this and
    the filing of local mail look at everything again.
    A round costs as much as recipients are due, whatever the number of others and of their domains (docs/decisions/0065).
    """

    def __init__(self, claims: Claims, clock: Clock, ready: Ready, local: Floor, shaping: Shaping) -> None:
        self._claims = claims
        self._shaping = shaping
        self._shaped: frozenset[str] = frozenset()
        self._local = local
        self._clock = clock
        self._ready = ready
        self._floor = Floor()
        self._pauses = ""
        self._began = EVER
        self._cursor = EVER
        self._earliest = self._oldest = NEVER
        self._over = True
        self.oldest_due = NEVER
        """The earliest due time seen by the last complete round over what is due and not held back by shaping."""

    async def step(self) -> bool:
        """Look at the next due recipients and add their pairs; True if the round is complete."""
        now, loop_time = self._clock.now(), asyncio.get_running_loop().time()
        if self._over:
            await self._notice_resumed()
            self._began, self._cursor = now, self._floor.since(now)
            self._earliest = self._oldest = NEVER
        found = await self._claims.due(self._cursor, now, WALK)
        for each in found:
            if each.paused or self._shaping.of(each.pair[1]) in self._shaped:
                continue
            self._ready.add([each.pair], each.due)
            self._earliest = min(self._earliest, each.due)
            if self._shaping.why(each.pair[1], loop_time) is None:
                self._oldest = min(self._oldest, each.due)
        self._over = sum(each.recipients for each in found) < WALK
        if self._over:
            self.oldest_due = self._oldest
            self._floor.looked(self._began, self._earliest)
        else:
            self._cursor = max(each.last for each in found)
        return self._over

    async def _notice_resumed(self) -> None:
        pauses = await self._claims.pauses()
        if pauses != self._pauses:
            self._floor.reset()
            self._local.reset()
        self._pauses = pauses
        shaped = self._shaping.paused(asyncio.get_running_loop().time())
        if self._shaped - shaped:
            self._floor.reset()
        self._shaped = shaped
