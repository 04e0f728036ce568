"""Decision 6 at its worst moments: a worker killed at each line, one that slept past its lease, Postgres itself gone."""

import asyncio

from mailkit.testing.speed import patient
from queue_worker.delivery.leases import LEASE
from queue_worker.models import Outcome, Result


async def die(work):
    """Run `work`, in which the process is killed; what it left in the database is all that counts."""
    try:
        await work
    except BaseException as error:
        assert type(error).__name__ == "Killed"


async def claimed_by_the_dead(world, hook):
    """A remote message whose worker was killed where `hook` hangs. Returns the dead worker."""
    setattr(world.sink, hook, world.kill)
    dead = world.worker()
    await dead.delivery.walk.step()
    await dead.delivery.turn()
    for task in list(dead.delivery._conversations.under_way):
        await die(task)
    setattr(world.sink, hook, lambda: None)
    return dead


async def test_killed_after_the_claim_the_message_is_simply_claimed_again(world):
    await world.submit(world.message("b@far.test"))
    await claimed_by_the_dead(world, "before_dot_hook")
    row = await world.the("recipient")
    assert (row["state"], row["attempt"], row["dot_sent"]) == ("claimed", 1, False)
    await world.work()
    assert world.sink.got == [], "the lease was not respected"
    world.pass_time(LEASE.total_seconds())
    await world.work()
    assert len(world.sink.got) == 1
    assert (await world.the("history"))["in_doubt"] == 0


async def test_killed_after_the_dot_the_attempt_is_in_doubt_and_retried_by_policy(world):
    await world.submit(world.message("b@far.test"))
    await claimed_by_the_dead(world, "after_dot_hook")
    assert len(world.sink.got) == 1 and (await world.the("recipient"))["dot_sent"]
    world.pass_time(LEASE.total_seconds())
    await world.work()
    row = await world.the("recipient")
    assert (row["state"], row["in_doubt"], row["status"]) == ("waiting", 1, "4.4.2")
    assert row["due"] > world.clock.now() and len(world.sink.got) == 1
    assert (await world.the("attempt"))["outcome"] == "in_doubt"
    world.pass_time(700)
    await world.work()
    assert len(world.sink.got) == 2  # the duplicate that decision 6 counts
    done = await world.the("history")
    assert (done["state"], done["in_doubt"]) == ("delivered", 1)


async def test_after_a_crash_of_postgres_attempts_under_way_are_in_doubt(world):
    await world.submit(world.message("b@far.test"))
    await claimed_by_the_dead(world, "before_dot_hook")
    # the mark may have been lost with the server's memory: the attempt began before its present start
    changed = await world.pool.execute(
        "update queue.recipient set database_life = split_part(database_life, ' ', 1) || ' 1772366400.000000'"
    )
    assert changed == "UPDATE 1"
    world.pass_time(LEASE.total_seconds())
    await world.work()
    row = await world.the("recipient")
    assert (row["state"], row["in_doubt"]) == ("waiting", 1) and world.sink.got == []


async def test_killed_between_filing_and_recording_the_repeat_is_already_filed(world):
    await world.submit(world.message(world.mailbox("b@here.test")))
    world.mailstore.after_filing = world.kill
    await die(world.worker().filer.turn())
    world.mailstore.after_filing = lambda: None
    assert len(world.mailstore.filed) == 1
    world.pass_time(LEASE.total_seconds())
    await world.work()
    assert len(world.mailstore.filed) == 1 and len(world.mailstore.lists) == 2
    assert (await world.the("history"))["state"] == "delivered" and await world.rows("message") == []


async def test_killed_between_claim_and_filing_it_is_filed_by_the_next(world):
    await world.submit(world.message(world.mailbox("b@here.test")))

    def kill_first(filing):
        world.kill()

    world.mailstore.says = kill_first
    await die(world.worker().filer.turn())
    world.mailstore.says = lambda filing: None
    await world.work()
    assert world.mailstore.filed == {}
    world.pass_time(LEASE.total_seconds())
    await world.work()
    assert len(world.mailstore.filed) == 1


async def test_a_worker_that_slept_past_its_lease_writes_nothing(world):
    """Delivered, refused, deferred, given back and marked: all fall through the fence."""
    await world.submit(world.message("b@far.test"))
    sleeper, other = world.worker(), world.worker()
    said = {}

    async def sleep_through(domain, messages, report, relay=None, admit=None):
        world.pass_time(LEASE.total_seconds() + 1)
        world.sink.says = lambda address: (Outcome.deferred, "4.2.0", "try later")
        world.sink.deliver = type(world.sink).deliver.__get__(world.sink)
        await world.work(other)
        said["marked"] = await messages[0].before_dot()
        for outcome in (Outcome.delivered, Outcome.failed, Outcome.deferred, Outcome.returned, Outcome.in_doubt):
            await sleeper.recorder.record([Result(messages[0].recipients[0], outcome, "5.0.0", "late")])

    world.sink.deliver = sleep_through
    await sleeper.delivery.walk.step()
    await sleeper.delivery.turn()
    await sleeper.delivery.settled(10)
    assert said == {"marked": False}
    row = await world.the("recipient")
    assert (row["state"], row["attempt"], row["tries"], row["reply"]) == ("waiting", 2, 1, "try later")
    assert await world.rows("history") == [] and world.sink.got == []


async def test_no_mark_once_the_lease_has_run_out_even_if_nobody_took_it(world):
    await world.submit(world.message("b@far.test"))
    world.sink.before_dot_hook = lambda: world.pass_time(LEASE.total_seconds() - 4)
    await world.work()
    assert world.sink.got == []


async def test_a_renewed_lease_lasts(world):
    await world.submit(world.message("b@far.test"))
    worker, other = world.worker(), world.worker()
    go, here = asyncio.Event(), asyncio.Event()
    deliver = world.sink.deliver

    async def slow(domain, messages, report, relay=None, admit=None):
        here.set()
        await go.wait()
        await deliver(domain, messages, report)

    world.sink.deliver = slow
    await worker.delivery.walk.step()
    await worker.delivery.turn()
    await here.wait()
    for _ in range(6):
        world.pass_time(20)
        await worker.leases.renew()
        await other.delivery.walk.step()
        assert await other.delivery.turn() == 0
    go.set()
    await worker.delivery.settled(10)
    assert len(world.sink.got) == 1 and (await world.the("history"))["state"] == "delivered"
    assert len(worker.leases) == 0


async def test_an_attempt_that_outlives_its_lease_leaves_that_of_the_next_one_alone(world):
    """The same worker may claim a recipient again whose first attempt still runs; the end of that one ends no other."""
    await world.submit(world.message("b@far.test"))
    worker, other = world.worker(), world.worker()
    begun, ends = [], [asyncio.Event(), asyncio.Event()]

    async def slow(domain, messages, report, relay=None, admit=None):
        begun.append(messages)
        await ends[len(begun) - 1].wait()

    world.sink.deliver = slow
    for attempt in (1, 2):
        await worker.delivery.walk.step()
        await worker.delivery.turn()
        async with asyncio.timeout(patient(10)):
            while len(begun) < attempt:
                await asyncio.sleep(0)
        world.pass_time(LEASE.total_seconds() + 1 if attempt == 1 else 20)
    ends[0].set()
    async with asyncio.timeout(patient(10)):
        while len(worker.delivery._conversations.under_way) > 1:
            await asyncio.sleep(0)
    assert len(worker.leases) == 1
    await worker.leases.renew()
    world.pass_time(LEASE.total_seconds() - 1)
    await other.delivery.walk.step()
    assert await other.delivery.turn() == 0
    ends[1].set()
    await worker.delivery.settled(10)


async def claimed_twice(world, worker):
    """The first claim of a message's recipient, which has lost its lease, and the next one of the same worker."""
    await world.submit(world.message("b@far.test"))
    claims, deliver = [], world.sink.deliver

    async def note(domain, messages, report, relay=None, admit=None):
        claims.extend(messages[0].recipients)

    world.sink.deliver = note
    for _ in range(2):
        await worker.delivery.walk.step()
        await worker.delivery.turn()
        await worker.delivery.settled(10)
        if len(claims) == 1:
            world.pass_time(LEASE.total_seconds() + 1)
    world.sink.deliver = deliver
    return claims


async def test_an_attempt_that_outlived_its_lease_gets_no_mark_beside_the_next_one(world):
    """Both ask in the same list, and only the later attempt may send its dot."""
    worker = world.worker()
    claims = await claimed_twice(world, worker)
    marks = await asyncio.gather(*(worker.leases.mark_dot([claim]) for claim in claims))
    assert [claim.attempt for claim in claims] == [1, 2] and marks == [False, True]


async def test_an_attempt_that_outlived_its_lease_is_not_recorded_with_the_next_one(world):
    """Both results are in the same list: the recipient is delivered, and no bounce says that it failed."""
    worker = world.worker()
    first, second = await claimed_twice(world, worker)
    late = Result(first, Outcome.failed, "5.1.1", "no such user")
    await worker.recorder.record([late, Result(second, Outcome.delivered, "2.0.0", "250 ok")])
    assert (await world.the("history"))["state"] == "delivered" and await world.rows("message") == []


async def test_two_workers_share_the_queue_and_deliver_everything_once(world):
    await world.submit(*(world.message(f"{n}@d{n % 7}.test") for n in range(150)))
    await world.submit(*(world.message(world.mailbox(f"{n}@here.test")) for n in range(150)))
    await asyncio.gather(*(world.work() for _ in range(3)))
    world.pass_time(1)
    await world.work()
    assert sorted(r for got in world.sink.got for r in got.recipients) == sorted(
        f"{n}@d{n % 7}.test" for n in range(150)
    )
    assert len(world.mailstore.filed) == 150 and await world.rows("message") == []


async def test_recipients_finished_by_two_workers_take_the_message_with_them(world):
    """Each sees the other's recipient still there unless they go one after the other."""
    for _ in range(10):
        await world.submit(world.message("b@one.test", "b@two.test", world.mailbox("b@here.test")))
        await asyncio.gather(*(world.work() for _ in range(3)))
        await world.work()
        assert await world.rows("message") == []


async def test_what_was_cut_off_is_given_back_and_due_at_once(world):
    await world.submit(world.message("b@far.test"))
    world.sink.says = lambda address: (Outcome.returned, "4.3.2", "shutting down")
    worker = world.worker()
    await worker.delivery.walk.step()
    await worker.delivery.turn()
    await worker.delivery.settled(10)
    row = await world.the("recipient")
    assert (row["state"], row["due"], row["tries"], row["worker"]) == ("waiting", world.clock.now(), 0, None)
    world.sink.says = lambda address: None
    await world.work()
    assert len(world.sink.got) == 1


async def test_the_only_worker_of_a_machine_takes_over_at_once_and_doubts_what_it_must(world):
    await world.submit(world.message("b@far.test"))
    await claimed_by_the_dead(world, "after_dot_hook")
    await world.submit(world.message("c@far.test"))
    await claimed_by_the_dead(world, "before_dot_hook")
    reborn = world.worker()
    await reborn.leases.take_over()
    await world.work(reborn)
    assert [got.recipients for got in world.sink.got] == [["b@far.test"], ["c@far.test"]]
    row = await world.the("recipient")
    assert (row["address"], row["state"], row["in_doubt"]) == ("b@far.test", "waiting", 1)


async def test_a_stop_waits_for_a_claim_under_way_and_gives_back_what_it_claimed(world):
    """A claim that committed after the stop used to hold its recipients until the lease ended."""
    await world.submit(world.message("b@far.test", "c@far.test"))
    worker = world.worker()
    await worker.delivery.walk.step()
    async with world.pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("lock table queue.recipient in exclusive mode")
        turn = asyncio.create_task(worker.delivery.turn())
        async with asyncio.timeout(patient(20)):
            while not await world.pool.fetchval("select count(*) from pg_locks where not granted"):
                await asyncio.sleep(0.01)
        world.sink.says = lambda address: (Outcome.returned, "", "")  # what a courier does that has been stopped
        stop = asyncio.create_task(worker.delivery.stop(patient(20)))
        while not worker.delivery._stopping:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await held.rollback()  # the claim commits now
    await stop
    assert turn.done() and await turn == 2
    rows = await world.rows("recipient")
    assert [(row["state"], row["tries"]) for row in rows] == [("waiting", 0)] * 2
    assert all(row["due"] <= world.clock.now() for row in rows), "another worker may claim them at once"
    assert len(worker.leases) == len(worker.delivery._in_hand) == len(worker.delivery._slots) == 0


async def test_nothing_is_claimed_after_a_stop(world):
    await world.submit(world.message("b@far.test"))
    worker = world.worker()
    await worker.delivery.walk.step()
    await worker.delivery.stop(0)
    assert await worker.delivery.turn() == 0
    assert (await world.the("recipient"))["state"] == "waiting"


async def test_a_stop_waits_for_a_claim_no_longer_than_its_grace(world):
    await world.submit(world.message("b@far.test"))
    worker = world.worker()
    await worker.delivery.walk.step()
    async with world.pool.acquire() as other, other.transaction():
        await other.execute("lock table queue.recipient in exclusive mode")
        turn = asyncio.create_task(worker.delivery.turn())
        async with asyncio.timeout(patient(20)):
            while not await world.pool.fetchval("select count(*) from pg_locks where not granted"):
                await asyncio.sleep(0.01)
            await worker.delivery.stop(0)
        assert not turn.done()
    await turn
