"""Postgres for the services that own data: pool, named queries, refusals, and errors in the product's words."""

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

from mailkit import report
from mailkit.dsn import where
from mailkit.errors import ConfigError, NoSpace, PostriderError, Unavailable

#: A connection inside or outside a pool: what functions that join a caller's transaction take.
Connection = asyncpg.Connection | PoolConnectionProxy

CONNECTIONS = Gauge(
    "postrider_database_connections", "Connections of this process's pool by state: in_use, idle", ["state"]
)
LIMIT = Gauge("postrider_database_connections_limit", "Connections that this process's pool may have")
WAIT_SECONDS = Histogram(
    "postrider_database_wait_seconds", "How long work waited for a connection of the pool",
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
)  # fmt: skip
_pools: "weakref.WeakSet[asyncpg.Pool]" = weakref.WeakSet()
CONNECTIONS.labels("in_use").set_function(lambda: sum(pool.get_size() - pool.get_idle_size() for pool in _pools))
CONNECTIONS.labels("idle").set_function(lambda: sum(pool.get_idle_size() for pool in _pools))
LIMIT.set_function(lambda: sum(pool.get_max_size() for pool in _pools))

_NAME = re.compile(r"^-- name: (\w+)$", re.M)


class Queries:
    """Named SQL from files beside the module that runs it: `-- name: claim_due`, a sentence, the statement."""

    def __init__(self, package: str, *files: str) -> None:
        text = "\n".join(resources.files(package).joinpath(file).read_text() for file in files)
        parts = _NAME.split(text)
        self._sql = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}

    def __getattr__(self, name: str) -> str:
        try:
            return self._sql[name]
        except KeyError:
            raise AttributeError(f"no query named {name!r}") from None

    def items(self) -> list[tuple[str, str]]:
        """(name, statement) of every query: what tests walk over."""
        return list(self._sql.items())


#: For services whose tables are empty one minute and have a million rows the next. Every statement of theirs has its
#: index, so the other ways are never right, and neither is planning it again and again: a claim's plan cost as much as
#: the claim (docs/decisions/0013).
PLANNER = {
    "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}  # fmt: skip


class _Session(asyncpg.Connection):
    """A pooled session. Nothing here leaves state in one (settings are `set local`, LISTEN has sessions of its own), so
    a released one is not reset: that was one more round trip for every statement. Open transactions are still ended."""

    async def reset(self, *, timeout: float | None = None) -> None:
        if self.is_in_transaction():
            await super().reset(timeout=timeout)

    def get_reset_query(self) -> str:
        return ""


class _Pool(asyncpg.Pool):
    """A pool that says how long work waits for it."""

    async def _acquire(self, timeout: float | None) -> Any:
        started = time.perf_counter()
        connection = await super()._acquire(timeout)  # type: ignore[misc]
        WAIT_SECONDS.observe(time.perf_counter() - started)
        return connection


async def create_pool(
    dsn: str, *, service: str, size: int = 10, settings: Mapping[str, str] | None = None, **kwargs: Any
) -> asyncpg.Pool:
    """A pool for `service`, after looking at the server: fsync and synchronous_commit must be on (decision 12).

    `settings` are the sessions' own (planner switches …).

    Raises ConfigError (a database we must not trust with mail, or wrong credentials) and Unavailable (not there yet).
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
            command_timeout=30,
            timeout=10,
            max_queries=1_000_000,
            max_inactive_connection_lifetime=300,
            loop=asyncio.get_running_loop(),
            connection_class=_Session,
            record_class=asyncpg.Record,
            server_settings={"application_name": f"postrider-{service}", **(settings or {})},
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
    found = {
        row["name"]: row["setting"]
        for row in await pool.fetch(
            "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')"
        )
    }
    for name in ("fsync", "full_page_writes"):
        if found.get(name) != "on":
            await pool.close()
            raise ConfigError(f"this database runs with {name} off and could lose mail; turn it on")
    if found["synchronous_commit"] in ("off",):
        await pool.close()
        raise ConfigError("this database runs with synchronous_commit off and could lose mail; turn it on")
    return pool


#: How long a start waits for a database that is still starting (seconds).
PATIENCE = 30.0


async def connect(
    dsn: str, service: str, size: int, settings: Mapping[str, str] | None = None, *, patience: float = PATIENCE
) -> asyncpg.Pool:
    """A pool, waiting for a database that is still starting. Raises ConfigError."""
    end = time.monotonic() + patience
    while True:
        try:
            return await create_pool(dsn, service=service, size=size, settings=settings)
        except Unavailable as error:
            if time.monotonic() >= end:
                raise ConfigError(f"{error} (waited {patience:g} s)" if patience else str(error)) from error
        await asyncio.sleep(0.5)


#: SQLSTATE classes and codes that mean "not now": connection trouble, shutting down, too many connections, lock or
#: statement time-outs, deadlock and serialisation losers.
_AWAY = ("08", "57", "53300", "55P03", "40001", "40P01", "25006")

#: What a call may raise besides our own errors. InternalClientError: what asyncpg says of a session cut off as it began.
DATABASE_ERRORS = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError,
)  # fmt: skip


def translate(error: BaseException) -> PostriderError | None:
    """The product's error for a database error: NoSpace for a full disk, Unavailable for what passes, else None."""
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
    """Turn database errors inside the block into NoSpace and Unavailable."""
    try:
        yield
    except PostriderError:
        raise
    except Exception as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
