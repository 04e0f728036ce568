"""What runs now and then: the collector, partitions by the ids' own time, and work that one replica does."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import create_async_engine

from mailkit.errors import Unavailable
from mailkit.ids import id_floor, id_time, new_id
from mailkit.postgres.singleton import LeaseLost, Singleton
from queue_worker.models import EVER, Outcome
from queue_worker.storage import (
    actions,
    claims,
    handovers,
    operations,
    outcomes,
    partitions,
    records,
    routes,
    trace,
    upkeep,
)
from queue_worker.storage.schema import metadata
from queue_worker.upkeep.maintain import AHEAD, MAINTAIN_SECONDS

STATEMENTS = {
    name: statement
    for module in (handovers, claims, outcomes, upkeep, partitions, records, actions, routes, trace, operations)
    for name, statement in module.queries.items()
}.items()


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
    old = today - timedelta(days=world.settings.history_days + 2)
    for table in ("submission", "finished", "ended", "attempt", "refusal"):
        names = {row["relname"] for row in await world.pool.fetch(partitions.queries.partitions, f"queue.{table}")}
        assert names == {f"{table}_rest"} | {f"{table}_{today + timedelta(days=n):%Y%m%d}" for n in range(1, AHEAD + 1)}
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
    assert f"submission_{old:%Y%m%d}" not in names, "older than the history is kept"
    assert [row["id"] for row in await world.rows("submission")] == [item.submission_id]
    names = {row["relname"] for row in await world.pool.fetch(partitions.queries.partitions, "queue.finished")}
    assert f"finished_{old:%Y%m%d}" not in names
    assert f"finished_{today + timedelta(days=AHEAD):%Y%m%d}" in names


async def test_a_partition_that_cannot_be_made_does_not_stop_the_rest(world):
    """A hand-over with an id from the future lies in the default partition, in the way of its day's own."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await world.pool.execute("insert into queue.submission values ($1, $1)", id_floor(tomorrow.timestamp()))
    await world.worker().maintenance.hour()
    assert len(await world.pool.fetch(partitions.queries.partitions, "queue.submission")) >= 3
    assert len(await world.pool.fetch(partitions.queries.partitions, "queue.attempt")) == AHEAD + 1


async def test_the_oldest_message_under_way_goes_with_the_filings(world):
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later")
    (first, _) = await world.submit(world.message("b@far.test"), world.message(world.mailbox("b@here.test")))
    worker = world.worker()
    await worker.maintenance.minute()
    await world.work(worker)
    assert world.mailstore.lists[0].oldest_queue_id == first.queue_id


async def test_depth_and_age_are_measured(world):
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


async def test_the_depth_is_kept_up_to_date_and_not_counted(world):
    """Every way in and out is noted by a trigger; what is read becomes one row, and one replica reads it."""
    world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "later") if address[0] == "l" else None
    one, two = world.worker(), world.worker()
    for n in range(3):
        await world.submit(world.message(*(f"l{k}@d{n}.test" for k in range(100)), "out@far.test"))
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(20)))
    await one.maintenance.measure()
    assert depth() == (20, 0, 303, 0)
    await world.work()
    await one.maintenance.measure()
    assert depth() == (0, 0, 300, 0) and len(await world.pool.fetch("select from queue.depth_change")) == 1
    await world.pool.execute("delete from queue.recipient where n >= 50")
    world.pass_time(400)
    await one.delivery.walk.step()
    world.sink.deliver = hold_on
    await one.delivery.turn()
    await one.maintenance.measure()
    assert depth() == (0, 0, 0, 150)
    await two.maintenance.measure()
    assert depth() == (0, 0, 0, 0), "the first one still has the lease"


async def hold_on(domain, messages, report, relay=None, admit=None):
    """Leave all in hand."""


def depth():
    return tuple(
        REGISTRY.get_sample_value("postrider_queue_recipients", {"kind": kind, "state": state})
        for kind in ("local", "remote")
        for state in ("waiting", "claimed")
    )


async def explained(world, statement, *arguments):
    """The statement's plan, executed."""
    async with world.pool.acquire() as connection, connection.transaction():
        (row,) = await connection.fetchrow(f"explain (analyze, buffers, format json) {statement}", *arguments)
        return json.loads(row)[0]["Plan"]


async def pages_read(world, statement, *arguments):
    """How many pages of tables and indexes the statement reads."""
    plan = await explained(world, statement, *arguments)
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def nodes(plan):
    """The plan's nodes."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


async def test_what_is_due_is_found_whatever_waits_besides(world):
    """Of the table and its indexes the look-up reads the rows that are due, and no others."""
    await world.submit(world.message(*(f"x@d{n}.test" for n in range(20))))
    for start in range(0, 3000, 500):
        await world.submit(*(world.message(f"x@e{n}.test") for n in range(start, start + 500)))
    await world.pool.execute("update queue.recipient set due = '2030-01-01' where destination like 'e%'")
    now = world.clock.now()
    assert len(await world.worker().delivery._claims.due(EVER, now, 2000)) == 20
    plan = await explained(world, claims.queries.due_destinations, now, EVER, 2000)
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "recipient"]
    assert [(node["Index Name"], node["Actual Rows"]) for node in scans] == [("recipient_remote_due", 20)]
    assert not [node for node in nodes(plan) if node.get("Rows Removed by Filter")]


async def test_a_snapshot_does_not_make_claims_read_what_has_left(world):
    """Postgres keeps the entries of everything claimed since the snapshot; looks and claims begin above them."""
    worker = world.worker()
    asked = []
    remote, due, local = worker.delivery._claims.remote, worker.delivery._claims.due, worker.filer._claims.local

    async def noted_remote(now, until, pairs, most, since):
        asked.append(min(since))
        return await remote(now, until, pairs, most, since)

    async def noted_due(after, now, most):
        asked.append(after)
        return await due(after, now, most)

    async def noted_local(now, until, most, after):
        asked.append(after)
        return await local(now, until, most, after)

    worker.delivery._claims.remote, worker.delivery._claims.due = noted_remote, noted_due
    worker.filer._claims.local = noted_local
    async with world.pool.acquire() as other, other.transaction(isolation="repeatable_read"):
        await other.execute("set local idle_in_transaction_session_timeout = 0")
        await other.fetchval("select count(*) from queue.recipient")
        read = []
        for _ in range(4):
            for _ in range(50):
                world.pass_time(1)
                await world.submit(world.message("b@far.test", world.mailbox("b@here.test")), worker=worker)
                asked.clear()
                await world.work(worker)
            assert max(asked) > EVER
            now = world.clock.now()
            read.append(
                await pages_read(world, claims.queries.due_destinations, now, worker.delivery.walk._floor.bound, 9)
            )
        assert len(world.sink.got) == len(world.mailstore.filed) == 200
    assert read[3] <= read[1] * 1.5, read


async def test_a_row_below_the_bound_is_found_by_the_look_without_one(world):
    """A transaction that took its time long before its commit."""
    worker = world.worker()
    await world.work(worker)
    world.pass_time(30)
    await world.work(worker)
    await world.submit(world.message("b@far.test", world.mailbox("b@here.test")))
    await world.pool.execute("update queue.recipient set due = due - interval '10 min'")
    await world.work(worker)
    assert world.sink.got == [] and world.mailstore.filed == {}
    world.pass_time(30)
    await world.work(worker)
    assert len(world.sink.got) == len(world.mailstore.filed) == 1


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
            if name != "partitions":  # it looks at everything
                assert not re.search(r"Join Filter|Seq Scan", plan), f"{name}\n{plan}"
            for statement_name, index in (("claim_remote", "flow"), ("due_destinations", "due"), ("take_over", "due")):
                assert name != statement_name or f"using recipient_remote_{index} on recipient" in plan, plan
            if name == "enqueue":  # its lists are compared by hash, not each with each
                assert plan.count("(hashed SubPlan") == 2, plan
        await connection.execute("deallocate all")
