"""A standby takes the primary's place (docs/decisions/0030): what was under way then is in doubt."""

import asyncpg
import pytest

from bodystore import SameDatabase
from mailkit.postgres.pool import create_pool
from mailkit.testing.standby import Pair, pair
from queue_worker.delivery.leases import LEASE
from queue_worker.service import SESSION

from .conftest import QueueWithWorkers
from .test_queue_fences import claimed_by_the_dead


@pytest.fixture
def servers(postgres):
    with pair(("bodystore", "bodies"), ("queue_worker", "queue")) as made:
        yield made


async def world_of(servers: Pair, name: str, settings) -> QueueWithWorkers:
    pool = await create_pool(servers.dsn(name), service="queue-worker", size=4, settings=SESSION)
    return QueueWithWorkers(pool, settings, SameDatabase(pool))


async def test_an_attempt_under_way_at_a_failover_is_in_doubt(servers, settings):
    before = await world_of(servers, "primary", settings)
    await before.submit(before.message("b@far.test"), before.message("c@later.test"))
    standby = await asyncpg.connect(servers.dsn("standby"))
    started = await standby.fetchval("select pg_postmaster_start_time()")
    await standby.close()
    await claimed_by_the_dead(before, "before_dot_hook")  # the mark after it need not have reached the standby
    claimed = await before.rows("recipient")
    assert {row["state"] for row in claimed} == {"claimed"} and not any(row["dot_sent"] for row in claimed)
    await servers.replayed()
    before.pool.terminate()
    await servers.fail_over()

    after = await world_of(servers, "standby", settings)
    assert await after.pool.fetchval("select pg_postmaster_start_time()") == started, "it was not started for this"
    after.clock.current = before.clock.current
    after.pass_time(LEASE.total_seconds())
    await after.work()
    rows = await after.rows("recipient")
    assert [(row["state"], row["in_doubt"], row["status"]) for row in rows] == [("waiting", 1, "4.4.2")] * 2
    assert after.sink.got == []

    after.pass_time(3600)  # on the new timeline an attempt is no more in doubt than on the old one
    after.sink.before_dot_hook = after.kill
    await claimed_by_the_dead(after, "before_dot_hook")
    after.pass_time(LEASE.total_seconds())
    await after.work()
    assert {row["in_doubt"] for row in await after.rows("history")} == {1}
    await after.pool.close()
