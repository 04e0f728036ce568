"""Statistics of Postgres as metrics of each service that has a database, so that no exporter is needed.

A role without special rights sees the figures of the whole database and its own sessions; each service reports those.
"""

import time
from collections.abc import Iterable

import asyncpg
from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mailkit.postgres.pool import DATABASE_ERRORS, weak_settings
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import get_logger
from mailkit.process.report import report as report_error

log = get_logger()

#: Seconds between two queries of the statistics.
PERIOD = 15.0
#: Seconds between two warnings about a setting that can lose mail.
REMIND = 600.0
STATES = ("active", "idle", "idle in transaction")

_DATABASE = """
select xact_commit, xact_rollback, blks_hit, blks_read, deadlocks, numbackends, pg_database_size(datid) as size,
       current_setting('max_connections')::int as most
  from pg_stat_database where datname = current_database()
"""
_SESSIONS = """
select state, count(*) as sessions, max(extract(epoch from clock_timestamp() - xact_start))::float8 as oldest
  from pg_stat_activity where usename = current_user and datname = current_database() and state is not null group by state
"""
_DEAD = "select schemaname, sum(n_dead_tup)::float8 as dead from pg_stat_user_tables group by schemaname"


class PostgresMetrics(Collector):
    """The figures that `look` has read, to be called every PERIOD; a scrape gets the last ones without waiting."""

    def __init__(self, pool: asyncpg.Pool | None = None) -> None:
        self._pool = pool
        self._up = 0
        self._database: dict[str, float] = dict.fromkeys(
            ("xact_commit", "xact_rollback", "blks_hit", "blks_read", "deadlocks", "numbackends", "size", "most"), 0.0
        )
        self._sessions: dict[str, float] = {}
        self._oldest = 0.0
        self._dead: dict[str, float] = {}
        self._weak: dict[str, str] = {}
        self._remind = 0.0

    async def look(self) -> None:
        """Query the statistics; if the database does not answer, `postrider_postgres_up` is 0 and the rest stays as it was."""
        assert self._pool is not None
        try:
            async with self._pool.acquire(timeout=5) as connection:
                database = await connection.fetchrow(_DATABASE, timeout=5)
                sessions = await connection.fetch(_SESSIONS, timeout=5)
                dead = await connection.fetch(_DEAD, timeout=5)
                weak = await weak_settings(connection)
        except DATABASE_ERRORS as error:
            if self._up:
                report_error(error, "postgres_metrics")
            self._up = 0
            return
        self._up = 1
        self._warn(weak)
        self._database = {name: float(value or 0) for name, value in dict(database or {}).items()}
        self._sessions = {row["state"]: row["sessions"] for row in sessions}
        self._oldest = max((row["oldest"] or 0.0 for row in sessions), default=0.0)
        self._dead = {row["schemaname"]: row["dead"] for row in dead}

    def _warn(self, weak: dict[str, str]) -> None:
        """Log the settings with which a commit may be lost: when they change, and every REMIND seconds while they last."""
        now = time.monotonic()
        if weak and (weak != self._weak or now >= self._remind):
            log.warning("commits_not_durable", **weak)
            self._remind = now + REMIND
        self._weak = weak

    def collect(self) -> Iterable[Metric]:
        of = self._database
        yield _gauge("up", "1 when this service's last question was answered, 0 when not", self._up)
        yield _gauge("durable", "0 when its settings let it lose what it has answered for, 1 when not", not self._weak)
        yield _gauge("backends", "Sessions in the database, everybody's", of["numbackends"])
        yield _gauge("connections_limit", "Sessions that the server takes (max_connections)", of["most"])
        yield _gauge("size_bytes", "Size of the database", of["size"])
        yield _gauge("oldest_transaction_seconds", "Age of this service's oldest open transaction", self._oldest)
        states = GaugeMetricFamily(
            "postrider_postgres_connections",
            "This service's sessions by state: active, idle, idle in transaction, other",
            labels=["state"],
        )
        other = sum(count for state, count in self._sessions.items() if state not in STATES)
        for state, count in [*((state, self._sessions.get(state, 0)) for state in STATES), ("other", other)]:
            states.add_metric([state], count)
        yield states
        dead = GaugeMetricFamily(
            "postrider_postgres_dead_rows", "Rows that vacuum has yet to remove, by schema", labels=["schema"]
        )
        for schema, count in self._dead.items():
            dead.add_metric([schema], count)
        yield dead
        for name, text, label, children in (
            (
                "transactions",
                "Transactions by end: commit, rollback",
                "end",
                {"commit": of["xact_commit"], "rollback": of["xact_rollback"]},
            ),
            (
                "blocks",
                "Blocks read, from: cache (Postgres's own), disk (or the system's cache)",
                "from",
                {"cache": of["blks_hit"], "disk": of["blks_read"]},
            ),
        ):
            counter = CounterMetricFamily(f"postrider_postgres_{name}", text, labels=[label])
            for value, count in children.items():
                counter.add_metric([value], count)
            yield counter
        yield CounterMetricFamily(
            "postrider_postgres_deadlocks", "Deadlocks that Postgres ended", value=of["deadlocks"]
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"postrider_postgres_{name}", text, value=value)


BODIES = Gauge(
    "postrider_bodies_database_size_bytes",
    "Size of the database that holds the bodies, maybe one of its own; each replica",
)


async def report_bodies(life: Lifecycle, pool: asyncpg.Pool) -> None:
    """Set `BODIES` now and every PERIOD; the last figure stays while the database does not answer."""

    async def look() -> None:
        try:
            BODIES.set(await pool.fetchval("select pg_database_size(current_database())", timeout=5))
        except DATABASE_ERRORS as error:
            report_error(error, "postgres_metrics")

    await look()
    life.every(PERIOD, look)


async def report(life: Lifecycle, pool: asyncpg.Pool) -> None:
    """Register the metrics and query them now and every PERIOD until the service ends."""
    made = PostgresMetrics(pool)
    REGISTRY.register(made)
    await made.look()
    life.every(PERIOD, made.look)
