"""Sessions as the pool gives them out, and what a database's errors mean."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from mailkit.errors import NoSpace, Unavailable
from mailkit.postgres.pool import BOUNDS, create_pool, open_session, translate, translated
from mailkit.testing.postgres import Databases
from mailkit.testing.speed import patient


async def test_a_released_session_leaves_no_transaction_behind(postgres: Databases) -> None:
    pool = await create_pool(postgres.create(), service="test", size=1)
    await pool.execute("create table t (n int)")
    async with pool.acquire() as connection:
        await connection.execute("begin; insert into t values (1)")
    async with pool.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select count(*) from t") == 0
    await pool.close()


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (asyncpg.DiskFullError("x"), NoSpace),
        (asyncpg.AdminShutdownError("x"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.UniqueViolationError("x"), None),
        (KeyError("x"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_an_error_means(error: Exception, means: type[Exception] | None) -> None:
    assert type(translate(error)) is (means or type(None))


@asynccontextmanager
async def over_tcp(dsn: str) -> AsyncIterator[str]:
    """The test server, which listens on a Unix socket only, behind a TCP port of this process."""
    folder, name = parse_qs(urlsplit(dsn).query)["host"][0], urlsplit(dsn).path

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        await asyncio.gather(pump(reader, here), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield f"postgresql://postgres@127.0.0.1:{server.sockets[0].getsockname()[1]}{name}?sslmode=disable"
    finally:
        server.close()


async def test_every_session_has_its_bounds(postgres: Databases) -> None:
    dsn = postgres.create()
    pool = await create_pool(dsn, service="test", size=1)
    alone = await open_session(dsn, "test")
    asked = "select name, setting from pg_settings where name = any($1::text[])"
    for session in (pool, alone):
        found = {row["name"]: row["setting"] for row in await session.fetch(asked, list(BOUNDS))}
        # what is about TCP is zero on the Unix socket of the test server
        assert {name: value for name, value in found.items() if not name.startswith("tcp")} == {
            name: value for name, value in BOUNDS.items() if not name.startswith("tcp")
        }
    await alone.close()
    await pool.close()


async def test_sessions_over_tcp_have_keepalives(postgres: Databases) -> None:
    async with over_tcp(postgres.create()) as dsn:
        session = await open_session(dsn, "test")
        sock = session._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        await session.close()


async def test_nobody_waits_for_a_session_of_the_pool_for_ever(
    postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.postgres.pool.ACQUIRE_SECONDS", 0.2)
    pool = await create_pool(postgres.create(), service="test", size=1)
    async with pool.acquire(), asyncio.timeout(patient(20)):
        with pytest.raises(Unavailable):
            async with translated():
                await pool.fetchval("select 1")
    assert await pool.fetchval("select 1") == 1
    await pool.close()


async def test_a_session_stopped_in_a_transaction_gives_its_locks_back(postgres: Databases) -> None:
    dsn = postgres.create()
    pool = await create_pool(dsn, service="test", size=2, settings={"idle_in_transaction_session_timeout": "300"})
    await pool.execute("create table t (n int); insert into t values (1)")
    started = time.monotonic()
    async with asyncio.timeout(patient(20)):
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            async with pool.acquire() as stopped, stopped.transaction():
                await stopped.execute("select n from t for update")
                assert await pool.fetchval("select n from t for update") == 1  # given once the other one is ended
                assert time.monotonic() - started > 0.25
                await stopped.execute("select 1")
    await pool.close()
