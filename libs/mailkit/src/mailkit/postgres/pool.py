"""Postgres for the services that own data: pool, named queries, checks of the server, translation of errors."""

import asyncio
import re
import time
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from prometheus_client import Gauge, Histogram

from mailkit.errors import ConfigError, NoSpace, PostriderError, Unavailable
from mailkit.net.keepalive import IDLE_SECONDS, INTERVAL_SECONDS, PROBES, UNACKNOWLEDGED_SECONDS, keep_alive
from mailkit.postgres.dsn import where
from mailkit.process import report

#: A connection inside or outside a pool, as taken by functions that join a caller's transaction.
Connection = asyncpg.Connection | PoolConnectionProxy

CONNECTIONS = Gauge(
    "postrider_database_connections", "Connections of this process's pool by state: in_use, idle", ["state"]
)
LIMIT = Gauge("postrider_database_connections_limit", "Connections that this process's pool may have")
WAIT_SECONDS = Histogram(
    "postrider_database_wait_seconds",
    "How long work waited for a connection of the pool",
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
)
_pools: "weakref.WeakSet[asyncpg.Pool]" = weakref.WeakSet()
CONNECTIONS.labels("in_use").set_function(lambda: sum(pool.get_size() - pool.get_idle_size() for pool in _pools))
CONNECTIONS.labels("idle").set_function(lambda: sum(pool.get_idle_size() for pool in _pools))
LIMIT.set_function(lambda: sum(pool.get_max_size() for pool in _pools))

_NAME = re.compile(r"^-- name: (\w+)$", re.M)
_INCLUDED = re.compile(r"\{(\w+)\}")


class Queries:
    """Named SQL from files beside the module that runs it: `-- name: claim_due`, a sentence, the statement.

    Each query is an attribute. `{claim_due}` within a later one stands for that query.
    """

    def __init__(self, package: str, *files: str) -> None:
        text = "\n".join(resources.files(package).joinpath(file).read_text() for file in files)
        parts = _NAME.split(text)
        self._sql: dict[str, str] = {}
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            self._sql[name] = _INCLUDED.sub(lambda found: self._sql[found[1]], body.strip())

    def __getattr__(self, name: str) -> str:
        try:
            return self._sql[name]
        except KeyError:
            raise AttributeError(f"no query named {name!r}") from None

    def items(self) -> list[tuple[str, str]]:
        """Return (name, statement) of every query, for tests."""
        return list(self._sql.items())


#: Session settings for services whose tables are empty one minute and have a million rows the next. Every statement of
#: theirs has its index, so other plans are never right, and neither is planning each time: planning a claim took as long
#: as the claim (docs/decisions/0028).
PLANNER = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}


#: Limits of every session of the product, in milliseconds, keepalives in seconds. They bound a lock that is not granted,
#: a process that stops within a transaction, a statement without end, and a node that is gone (decision 0034).
BOUNDS = {
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "30000",
    "statement_timeout": "30000",
    "client_connection_check_interval": "5000",
    "tcp_keepalives_idle": str(IDLE_SECONDS),
    "tcp_keepalives_interval": str(INTERVAL_SECONDS),
    "tcp_keepalives_count": str(PROBES),
    "tcp_user_timeout": str(UNACKNOWLEDGED_SECONDS * 1000),
}
#: Deadlines, in seconds, for getting a session from the pool and for the answer to a statement.
ACQUIRE_SECONDS = 5.0
STATEMENT_SECONDS = 30.0


class _Session(asyncpg.Connection):
    """A session that is not reset when it is released, which would cost one more round trip for every statement.

    No statement leaves state in a pooled session: settings are `set local`, LISTEN has sessions of its own. Open
    transactions are still ended.
    """

    def __init__(self, protocol: Any, transport: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, transport, *args, **kwargs)
        keep_alive(transport.get_extra_info("socket"))

    async def reset(self, *, timeout: float | None = None) -> None:
        if self.is_in_transaction():
            await super().reset(timeout=timeout)

    def get_reset_query(self) -> str:
        return ""


class _Pool(asyncpg.Pool):
    """A pool that measures how long work waits for a session, and bounds it: TimeoutError, which is Unavailable."""

    async def _acquire(self, timeout: float | None) -> Any:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS if timeout is None else timeout):
                connection = await super()._acquire(None)  # type: ignore[misc]
        finally:
            WAIT_SECONDS.observe(time.perf_counter() - started)
        # bounds the release of a session whose cancelled statement does not end
        connection._holder._timeout = ACQUIRE_SECONDS
        return connection


_WEAK = """
select name, setting from pg_settings
 where name in ('fsync', 'full_page_writes') and setting = 'off'
    or name = 'synchronous_commit' and setting in ('off', 'local', 'remote_write')
"""


async def create_pool(
    dsn: str, *, service: str, size: int = 10, settings: Mapping[str, str] | None = None, **kwargs: Any
) -> asyncpg.Pool:
    """Open a pool for `service` and check the server: fsync and synchronous_commit must not be off (decision 12).

    `settings` are settings of the sessions, such as planner switches.

    Raises ConfigError (a database that could lose mail, or wrong credentials) and Unavailable (it does not answer).
    """
    if not dsn:
        raise ConfigError(
            "POSTRIDER_DATABASE_URL is not set, and neither is POSTRIDER_DATABASE_SECRET, the folder of a secret; "
            "one of them names the Postgres to use"
        )
    place = where(dsn)
    try:
        pool: asyncpg.Pool = await _Pool(
            dsn,
            min_size=min(2, size),
            max_size=size,
            command_timeout=STATEMENT_SECONDS,
            timeout=10,
            max_queries=1_000_000,
            max_inactive_connection_lifetime=300,
            loop=asyncio.get_running_loop(),
            connection_class=_Session,
            record_class=asyncpg.Record,
            server_settings=_settings(service, settings),
            **kwargs,
        )
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        raise ConfigError(f"the database refused the user or password: {place}") from None
    except asyncpg.InvalidCatalogNameError:
        raise ConfigError(f"there is no such database: {place}") from None
    except (ValueError, asyncpg.InterfaceError):  # their text may hold the URL
        raise ConfigError(f"POSTRIDER_DATABASE_URL or _SECRET is not usable as a Postgres URL: {place}") from None
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Unavailable(f"the database does not answer ({type(error).__name__}): {place}") from error
    _pools.add(pool)
    for name, value in (await weak_settings(pool)).items():
        if value == "off":
            await pool.close()
            raise ConfigError(f"this database runs with {name} off and could lose mail; turn it on")
    return pool


def _settings(service: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"application_name": f"postrider-{service}", **BOUNDS, **(settings or {})}


async def open_session(dsn: str, service: str, settings: Mapping[str, str] | None = None) -> asyncpg.Connection:
    """Open a session outside any pool (LISTEN), with the same bounds. Raises the errors of asyncpg.connect."""
    session: asyncpg.Connection = await asyncpg.connect(
        dsn, timeout=5, command_timeout=5, connection_class=_Session, server_settings=_settings(service, settings)
    )
    return session


async def weak_settings(pool: asyncpg.Pool | Connection) -> dict[str, str]:
    """Return the settings under which an acknowledged commit may be lost, as sessions have them now: name and value.

    With `synchronous_commit` local, a commit is lost with the primary; with remote_write, with its standby's machine
    (docs/decisions/0030).
    """
    rows = await pool.fetch(_WEAK)
    return {row["name"]: row["setting"] for row in rows}


#: Deadline, in seconds, for a database that is still starting when a service starts.
PATIENCE = 30.0
#: Time, in seconds, in which a pool's connections are to be given back when the process ends.
CLOSE_SECONDS = 2.0


async def connect(
    dsn: str, service: str, size: int, settings: Mapping[str, str] | None = None, *, patience: float = PATIENCE
) -> asyncpg.Pool:
    """Open a pool, waiting at most `patience` seconds for a database that is still starting. Raises ConfigError."""
    end = time.monotonic() + patience
    while True:
        try:
            return await create_pool(dsn, service=service, size=size, settings=settings)
        except Unavailable as error:
            if time.monotonic() >= end:
                raise ConfigError(f"{error} (waited {patience:g} s)" if patience else str(error)) from error
        await asyncio.sleep(0.5)


async def close(*pools: asyncpg.Pool) -> None:
    """Close each pool once its connections are given back, within CLOSE_SECONDS; then end them as they are."""
    for pool in dict.fromkeys(pools):
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


#: SQLSTATE classes and codes of temporary errors: connection trouble, shutting down, too many connections, a database that
#: accepts no connections or is in recovery (55000), lock or statement time-outs, deadlocks and serialisation failures.
_AWAY = ("08", "57", "53300", "55000", "55P03", "40001", "40P01", "25006")

#: What a call may raise besides our own errors. InternalClientError: asyncpg's error for a session cut off as it began.
DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


def translate(error: BaseException) -> PostriderError | None:
    """Return NoSpace for a full disk, Unavailable for a temporary database error, None for any other error."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in ("53100", "58030"):
            return NoSpace("the disk is full")
        if state.startswith(_AWAY):
            return Unavailable(f"the database is away ({state})")
        return None
    if isinstance(error, DATABASE_ERRORS):
        return Unavailable(f"the database is away ({type(error).__name__})")
    return None


report.translators.append(translate)
report.foreign.extend(DATABASE_ERRORS)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise database errors of the block as NoSpace or Unavailable, where `translate` knows them."""
    try:
        yield
    except PostriderError:
        raise
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
