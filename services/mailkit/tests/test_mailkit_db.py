"""Sessions as the pool gives them out, and what a database's errors mean."""

import asyncpg
import pytest

from mailkit.db import create_pool, translate
from mailkit.errors import NoSpace, Unavailable
from mailkit.testing.postgres import Databases


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
