"""Bodies are moved to the object store and its packs kept dense, by one replica for all (docs/decisions/0138)."""

from datetime import datetime, timedelta

from bodystore import Mover
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from queue_worker import metrics

log = get_logger()

#: Seconds between two rounds.
PACK_SECONDS = 60.0
#: Time between two counts of all packs, which read the whole table.
FIGURES = timedelta(hours=1)
#: Time after the start before the first body is moved: the pods of a release that knows no packs are gone by then.
ROLLOUT = timedelta(hours=1)


class Packing:
    """Runs the rounds; without an object store, none."""

    def __init__(self, mover: Mover | None, clock: Clock, singleton: Singleton) -> None:
        self._mover = mover
        self._clock = clock
        self._singleton = singleton
        self._started: datetime | None = None
        self._counted: datetime | None = None

    async def round(self) -> None:
        """Move what is due, compact one group of sparse packs, delete dead objects. Raises Unavailable."""
        mover, now = self._mover, self._clock.now()
        self._started = self._started or now
        if mover is None or now - self._started < ROLLOUT:
            return
        with self._singleton.round():
            while await self._singleton.mine():
                moved = await mover.move(self._clock.now())
                if not moved:
                    break
                metrics.PACKED.inc(moved)
                log.info("packed", bodies=moved)
            if await self._singleton.mine():
                await mover.compact(self._clock.now())
                await mover.sweep(self._clock.now())
                if self._counted is not None and now - self._counted < FIGURES:
                    return
                self._counted = now
                figures = await mover.figures()
                metrics.PACKS.set(figures.packs)
                metrics.PACK_OCTETS.labels("live").set(figures.live)
                metrics.PACK_OCTETS.labels("dead").set(figures.octets - figures.live)

    async def end(self) -> None:
        """Release the lease at shutdown."""
        await self._singleton.release()
