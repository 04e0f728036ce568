"""Work that runs once whatever the number of replicas: a fenced lease in the database, taken over when its holder is gone.

The table `<schema>.singleton` (name, holder, fence, until) belongs to the schema whose work it is. The fence goes up with
each change of hands; what the work writes it writes in a `step`, which begins by looking whether the lease is still the
same: a holder that was stopped for a while and goes on writes nothing.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge

from mailkit.clock import Clock
from mailkit.db import Connection

#: How long a holder that says nothing more keeps the work from the others, beyond the time between two rounds.
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
#: Shared, so that steps of one holder do not wait for each other, and whoever takes over waits for their end.
_LOOK = "select true from {table} where name = $1 and holder = $2 and fence = $3 for share"
_RELEASE = "update {table} set until = $3 where name = $1 and holder = $2 and until > $3"


class Lost(Exception):
    """Another replica has taken the work over; this round is over."""


class Singleton:
    """The right of one replica, `holder`, to do the work `name`. Ask `mine` before each slice; a slice is shorter than HOLD.

    `period`: the time between two rounds, which the lease outlasts, so that the same replica does the next one too.
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
        """Take or keep the lease."""
        now = self._clock.now()
        fence = await self._pool.fetchval(self._take, self._name, self._holder, now, now + self._hold)
        self._fence = fence or 0
        self._held.set(fence is not None)
        return fence is not None

    @contextmanager
    def round(self) -> Iterator[None]:
        """Counts one round of the work by how it ended; a lease that was lost or never had is no round."""
        try:
            yield
        except Lost:
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
        """A transaction that is committed under our lease or not at all. Raises Lost."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(self._look, self._name, self._holder, self._fence):
                raise Lost(self._name)
            yield connection

    async def release(self) -> None:
        """At a replica's end: the next one need not wait."""
        self._held.set(0)
        await self._pool.execute(self._release, self._name, self._holder, self._clock.now())
