"""DKIM keys over time, by one replica for all: records that appear, successors of aged keys, the end of replaced ones."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from auth import metrics
from auth.admin.dkim import DkimRules
from auth.storage.callers import service
from auth.storage.dkim import DkimKeys
from mailkit.postgres.pool import translated
from mailkit.postgres.rows import Row
from mailkit.postgres.singleton import LeaseLost, Singleton
from mailkit.process.clock import Clock
from mailkit.process.report import report

PERIOD = timedelta(seconds=60)
#: How long a replaced key and its record are kept: receivers verify mail that waited (docs/operate/deliverability.md).
KEPT = timedelta(days=7)
#: New keys looked at in one round, at the same time, and time limit of a look (seconds).
LOOKS, AT_ONCE, LOOK_SECONDS = 100, 10, 5.0
#: Successors made in one round; an RSA key takes about 0.1 s of a processor.
SUCCESSORS = 5
#: A record is looked for at first every minute, then after a tenth of the key's age, at the latest every six hours.
MOST_PAUSE = timedelta(hours=6)


class Rotation:
    """The periodic work, called every PERIOD. `lifetime`: age at which an active key gets a successor; zero: never."""

    def __init__(
        self, store: DkimKeys, rules: DkimRules, clock: Clock, singleton: Singleton, *, lifetime: timedelta
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._singleton = singleton
        self._lifetime = lifetime

    async def run(self) -> None:
        """Do one round, unless another replica does it. Raises Unavailable."""
        with service(), suppress(LeaseLost), self._singleton.round():
            async with translated():
                if not await self._singleton.mine():
                    return
                metrics.REMOVED.labels("dkim_keys").inc(
                    await self._store.remove_old(self._singleton, self._clock.now() - KEPT)
                )
            await self._look()
            if self._lifetime:
                await self._succeed()

    async def _look(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def look(row: Row) -> None:
            async with gate:
                found = False
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        found = await self._rules.look(row)
                if not found:
                    now = self._clock.now()
                    pause = min(max(PERIOD, (now - row["created_at"]) / 10), MOST_PAUSE)
                    await self._store.postpone(row["id"], now + pause)

        async with asyncio.TaskGroup() as group:
            for row in await self._store.due(self._clock.now(), LOOKS):
                group.create_task(look(row))

    async def _succeed(self) -> None:
        for row in await self._store.aged(self._clock.now() - self._lifetime, SUCCESSORS):
            await self._rules.succeed(row["domain"], row["algorithm"], row["selectors"])

    async def end(self) -> None:
        """Release the lease at the end of the process; if the database does not answer, the lease expires."""
        try:
            await self._singleton.release()
        except Exception as error:
            report(error, "rotation")
