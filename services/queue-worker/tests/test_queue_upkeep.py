"""What runs now and then: the collector, partitions by the ids' own time, and work that one replica does."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from mailkit.errors import Unavailable
from mailkit.ids import id_floor, id_time, new_id
from mailkit.postgres.singleton import LeaseLost, Singleton
from queue_worker.models import Outcome
from queue_worker.storage import claims, handovers, outcomes, partitions, records, upkeep
from queue_worker.storage.schema import metadata
from queue_worker.upkeep import maintain
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS

STATEMENTS = [
    statement
    for module in (handovers, claims, outcomes, upkeep, partitions, records)
    for statement in module.queries.items()
]


async def bodies(world):
    return await world.pool.fetchval("select count(*) from bodies.body")


async def test_a_relayed_body_is_deleted_an_hour_after_it_left(world):
    await world.submit(world.message("b@far.test"))
    await world.work()
    worker = world.worker()
    world.pass_time(3599)
    assert await worker.collector.collect() == 0 and await bodies(world) == 1
    world.pass_time(2)
    assert await worker.collector.collect() == 1 and await bodies(world) == 0
    assert await world.pool.fetchval("select count(*) from bodies.chunk") == 0
    assert await world.pool.fetchval("select count(*) from bodies.candidate") == 0


@pytest.mark.parametrize("minutes", [1, 29, 31, 59, 61, 600])
async def test_a_relayed_body_is_deleted_whenever_it_leaves(world, minutes):
    """Within the first half hour `put`'s own candidate sees to it; after that leaving writes another."""
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    await world.submit(world.message("b@far.test"))
    await world.work()
    world.pass_time(minutes * 60)
    await world.worker().collector.collect()
    world.sink.says = lambda address: (Outcome.delivered, "2.0.0", "taken")
    await world.pool.execute("update queue.recipient set due = $1", world.clock.now())
    await world.work()
    assert await world.pool.fetchval("select count(*) from queue.message") == 0
    candidates = await world.pool.fetchval("select count(*) from bodies.candidate")
    assert candidates == (2 if 30 < minutes < 60 else 1)
    world.pass_time(3601)
    await world.worker().collector.collect()
    assert await bodies(world) == 0
    assert await world.pool.fetchval("select count(*) from bodies.candidate") == 0


async def test_a_body_that_a_mailbox_refers_to_stays(world):
    await world.submit(world.message(world.mailbox("b@here.test")), world.message("b@far.test"))
    await world.work()
    (filing,) = world.mailstore.filed.values()
    world.mailstore.referenced = {filing.body_id}
    world.pass_time(3601)
    assert await world.worker().collector.collect() == 1
    assert await world.bodies.read(filing.body_id)
    world.mailstore.referenced = set()
    await world.bodies.leaving(world.pool, [filing.body_id], world.clock.now())  # mailstore, when it goes
    world.pass_time(3601)
    assert await world.worker().collector.collect() == 1 and await bodies(world) == 0


async def test_a_body_that_waits_in_the_queue_stays_and_mailstore_is_not_even_asked(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    await world.submit(world.message("b@far.test"))
    await world.work()
    world.pass_time(3601)
    assert await world.worker().collector.collect() == 0
    assert await bodies(world) == 1 and world.mailstore.asked == []


async def test_a_reference_made_between_the_two_looks_is_seen(world):
    """What looks free is marked and looked at again before it goes."""
    body_id = new_id()
    await world.bodies.put([(body_id, b"x")], world.clock.now())
    world.pass_time(3601)
    ask = world.mailstore.references

    async def and_then_filed(question):
        answer = await ask(question)
        world.mailstore.referenced = {body_id}
        return answer

    world.mailstore.references = and_then_filed
    assert await world.worker().collector.collect() == 0
    assert await world.bodies.read(body_id) == b"x"
    async with world.bodies.sharing([body_id]) as sharing, world.pool.acquire() as connection:
        assert await sharing.alive(connection) == {body_id}  # and the mark was taken back


async def test_nothing_is_deleted_while_mailstore_cannot_be_asked(world):
    await world.submit(world.message("b@far.test"))
    await world.work()
    world.pass_time(3601)
    world.mailstore.away = True
    with pytest.raises(Unavailable):
        await world.worker().collector.collect()
    world.mailstore.away = False
    assert await bodies(world) == 1
    assert await world.worker().collector.collect() == 0, "another worker holds the collector's lease"
    world.pass_time(world.settings.body_collect_seconds + 60)
    assert await world.worker().collector.collect() == 1


async def test_one_replica_at_a_time_and_the_next_when_it_is_gone(world):
    one, two = (Singleton(world.pool, world.clock, new_id(), "queue", "work") for _ in range(2))
    assert await one.mine() and await one.mine() and not await two.mine()
    world.pass_time(61)
    assert await two.mine() and not await one.mine()
    assert await world.pool.fetchval("select fence from queue.singleton") == 2
    await two.release()  # a drain gives it back at once; who does not hold it gives nothing back
    await two.release()
    assert await one.mine() and not await two.mine()


async def test_the_work_is_done_once_for_two_replicas_and_never_after_the_lease(world):
    one, two = world.worker(), world.worker()
    rounds = []
    for worker in (one, two, one, two):
        before = await world.pool.fetchval("select xmin::text from queue.singleton where name = 'maintain'")
        await worker.maintenance.hour()
        after = await world.pool.fetchval("select xmin::text from queue.singleton where name = 'maintain'")
        rounds.append(before != after)
    assert rounds == [True, False, True, False]
    world.pass_time(MAINTAIN_SECONDS + 61)
    await two.maintenance.hour()
    with pytest.raises(LeaseLost):  # one was stopped in the middle of its round and goes on
        await one.maintenance._partitions.make("attempt", datetime(2031, 1, 1, tzinfo=UTC))
    assert await world.pool.fetchval("select to_regclass('queue.attempt_20310101')") is None


async def test_partitions_are_made_ahead_and_dropped_behind(world):
    worker = world.worker()
    await worker.maintenance.hour()
    today = datetime.fromtimestamp(id_time(new_id()), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    old = today - timedelta(days=3)
    for table in ("submission", "finished", "attempt"):
        names = {row["relname"] for row in await world.pool.fetch(partitions.queries.partitions, f"queue.{table}")}
        assert names == {f"{table}_rest"} | {f"{table}_{today + timedelta(days=n):%Y%m%d}" for n in (1, 2, 3)}
        await worker.maintenance._partitions.make(table, old)
    item = world.message(world.mailbox("b@here.test"))
    await world.submit(item, worker=worker)
    await world.pool.execute(
        "insert into queue.submission values ($1, $1), ($2, $2)",
        id_floor((old + timedelta(hours=5)).timestamp()),
        id_floor((old - timedelta(days=30)).timestamp()),
    )
    await worker.maintenance.hour()
    names = {row["relname"] for row in await world.pool.fetch(partitions.queries.partitions, "queue.submission")}
    assert f"submission_{old:%Y%m%d}" not in names, "older than the lifetime and a day"
    assert [row["id"] for row in await world.rows("submission")] == [item.submission_id]
    names = {row["relname"] for row in await world.pool.fetch(partitions.queries.partitions, "queue.finished")}
    assert f"finished_{old:%Y%m%d}" in names, "the history lasts a week"


async def test_a_partition_that_cannot_be_made_does_not_stop_the_rest(world):
    """A hand-over with an id from the future lies in the default partition, in the way of its day's own."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await world.pool.execute("insert into queue.submission values ($1, $1)", id_floor(tomorrow.timestamp()))
    await world.worker().maintenance.hour()
    assert len(await world.pool.fetch(partitions.queries.partitions, "queue.submission")) >= 3
    assert len(await world.pool.fetch(partitions.queries.partitions, "queue.attempt")) == 4


async def test_the_oldest_message_under_way_goes_with_the_filings(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    (first, _) = await world.submit(world.message("b@far.test"), world.message(world.mailbox("b@here.test")))
    worker = world.worker()
    await worker.maintenance.minute()
    await world.work(worker)
    assert world.mailstore.lists[0].oldest_queue_id == first.queue_id


async def test_depth_and_age_are_measured(world):
    from prometheus_client import REGISTRY

    await world.submit(world.message("b@far.test", "c@far.test", world.mailbox("b@here.test")))
    world.pass_time(30)
    worker = world.worker()
    await worker.delivery.walk.step()
    await worker.maintenance.measure()

    def value(name, **labels):
        return REGISTRY.get_sample_value(f"postrider_queue_{name}", labels)

    assert value("recipients", kind="remote", state="waiting") == 2
    assert value("recipients", kind="local", state="waiting") == 1
    assert value("oldest_due_seconds", kind="remote") == 30 == value("oldest_due_seconds", kind="local")


async def test_a_long_queue_is_estimated_and_not_counted(world, monkeypatch):
    from prometheus_client import REGISTRY

    monkeypatch.setattr(maintain, "COUNTED", 50)
    for n in range(3):
        await world.submit(world.message(*(f"{k}@d{n}.test" for k in range(100))))
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(20)))
    await world.pool.execute("analyze queue.recipient")
    await world.worker().maintenance.measure()
    seen = {
        kind: REGISTRY.get_sample_value("postrider_queue_recipients", {"kind": kind, "state": "waiting"})
        for kind in ("local", "remote")
    }
    assert seen["local"] == 20 and 250 <= seen["remote"] <= 350
    rows = await world.pool.fetch("explain (analyze, format text) " + upkeep.queries.depth.replace("$1", "50"))
    assert not [row[0] for row in rows if "Seq Scan" in row[0] and "pg_class" not in row[0]]


async def test_the_migrations_lead_to_the_tables_as_they_are_defined(world, database):
    engine = create_async_engine(database.replace("postgresql://", "postgresql+asyncpg://"))

    def differences(connection):
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == "queue",
            "include_object": lambda _, name, kind, *__: (
                not (name or "").endswith("_rest") and name != "schema_version"
            ),
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_time_is_always_an_argument():
    """Decision 11."""
    for name, statement in STATEMENTS:
        assert "now()" not in statement.replace("postmaster_start_time()", ""), name


async def test_plans_made_while_the_queue_is_empty_are_good_when_it_is_full(world):
    """Sessions keep plans (`mailkit.postgres.pool.PLANNER`): every table is reached by an index, whatever the sizes."""
    async with world.pool.acquire() as connection:
        assert await connection.fetchval("show plan_cache_mode") == "force_generic_plan"
        for name, statement in STATEMENTS:
            count = max(map(int, re.findall(r"\$(\d+)", statement)), default=0)
            await connection.execute(f"prepare p_{name} as {statement}")
            given = f"({', '.join(['null'] * count)})" if count else ""
            plan = "\n".join(row[0] for row in await connection.fetch(f"explain (costs off) execute p_{name}{given}"))
            if name not in ("partitions", "take_over"):  # these look at everything
                assert not re.search(r"Join Filter|Seq Scan", plan), f"{name}\n{plan}"
            if name == "enqueue":  # its lists are compared by hash, not each with each
                assert plan.count("(hashed SubPlan") == 2, plan
        await connection.execute("deallocate all")
