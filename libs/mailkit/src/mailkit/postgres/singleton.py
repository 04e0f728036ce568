"""Work that runs in one replica at a time: a fenced lease in the database, taken over if its holder stops renewing it.

The table `<schema>.singleton` (name, holder, fence, until) belongs to the schema whose work it is. The fence increases with
each change of the holder. The work writes in a `step`, which begins by checking that the lease is still the same: a holder
that was suspended and continues later writes nothing.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from mailkit.postgres.pool import Connection
from mailkit.process.clock import Clock

#: Length of the lease beyond the time between two rounds: how long a holder that has stopped delays the others.
HOLD = timedelta(seconds=60)

HELD = Gauge("postrider_singleton_held", "1 in the replica that does this work, 0 in the others", ["task"])
RUNS = Counter(
    "postrider_singleton_runs_total",
    "Rounds by end: ok, failed; counted by the replica that did them",
    ["task", "outcome"],
)

_TAKE = """
insert into {table} as s (name, holder, fence, until) values ($1, $2, 1, $4)
on conflict (name) do update
   set holder = excluded.holder, until = excluded.until,
       fence = s.fence + case when s.holder = excluded.holder then 0 else 1 end
 where s.holder = excluded.holder or s.until <= $3
returning fence
"""
#: A shared lock: steps of one holder do not wait for each other, and a replica that takes over waits for their end.
_LOOK = "select true from {table} where name = $1 and holder = $2 and fence = $3 for share"
_RELEASE = "update {table} set until = $3 where name = $1 and holder = $2 and until > $3"


class LeaseLost(Exception):
    """Another replica has taken over the lease; this round ends."""


class Singleton:
    """The lease of one replica, `holder`, on the work `name`. Call `mine` before each slice, which is shorter than HOLD.

    `period`: the time between two rounds; the lease is longer, so that the same replica does the next round too.
    """

    def __init__(
        self, pool: asyncpg.Pool, clock: Clock, holder: UUID, schema: str, name: str, *, period: timedelta = timedelta()
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._holder = holder
        self._name = name
        task = f"{schema}.{name}"
        self._held, self._ok, self._failed = HELD.labels(task), RUNS.labels(task, "ok"), RUNS.labels(task, "failed")
        self._hold = period + HOLD
        self._fence = 0
        self._take, self._look, self._release = (
            sql.format(table=f"{schema}.singleton") for sql in (_TAKE, _LOOK, _RELEASE)
        )

    async def mine(self) -> bool:
        """Take or renew the lease; False if another replica holds it."""
        now = self._clock.now()
        fence = await self._pool.fetchval(self._take, self._name, self._holder, now, now + self._hold)
        self._fence = fence or 0
        self._held.set(fence is not None)
        return fence is not None

    @contextmanager
    def round(self) -> Iterator[None]:
        """Count a round of the work by its outcome; without the lease, or if it is lost, no round is counted."""
        try:
            yield
        except LeaseLost:
            self._fence = 0
            raise
        except Exception:
            self._failed.inc()
            raise
        else:
            if self._fence:
                self._ok.inc()
        finally:
            self._held.set(bool(self._fence))

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Connection]:
        """Open a transaction that is committed only under our lease. Raises LeaseLost."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(self._look, self._name, self._holder, self._fence):
                raise LeaseLost(self._name)
            yield connection

    async def release(self) -> None:
        """Give the lease back when a replica stops, so that the next need not wait for its end."""
        self._held.set(0)
        await self._pool.execute(self._release, self._name, self._holder, self._clock.now())
