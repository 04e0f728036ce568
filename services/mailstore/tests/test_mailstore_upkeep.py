"""What is forgotten and when; purges in slices; two replicas; bodies in a database of their own."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from bodystore import OtherDatabase
from mailkit.errors import Forbidden
from mailkit.ids import id_floor, new_id
from mailkit.postgres.pool import PLANNER, create_pool
from mailkit.postgres.singleton import LeaseLost
from mailkit.testing.speed import patient
from mailstore.parts import assemble
from mailstore.storage.filing import FilingTransaction
from mailstore.upkeep.maintain import PERIOD
from mailstore_api.admin import MailstoreAdmin
from mailstore_api.wire import Append, ChangesQuestion, ExpungeQuestion, FilingList

from .conftest import ROOM, START, message, uids


def id_at(moment):
    """A queue id of that time; the same one each time."""
    return UUID(int=id_floor(moment.timestamp()).int | 0x7 << 76 | 0x2 << 62)


async def partitions(store):
    rows = await store.pool.fetch(
        "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = 'mailstore.filed'::regclass order by 1"
    )
    return [row["name"] for row in rows]


async def test_operations_are_remembered_for_ten_minutes(store, mailbox_id):
    operation_id = new_id()
    assert (await store.append(mailbox_id, message(), operation_id=operation_id)).uid == 1
    store.pass_time(599)
    await store.parts.maintenance.round()
    assert (await store.append(mailbox_id, message(), operation_id=operation_id)).uid == 1
    store.pass_time(2)
    await store.parts.maintenance.round()
    assert await store.pool.fetchval("select count(*) from mailstore.operation") == 0


async def test_tombstones_are_kept_for_a_week_and_then_sessions_open_anew(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.upkeep.maintain.SLICE", 3)
    await store.deliver(mailbox_id, *[message()] * 10)
    since = (await store.open(mailbox_id)).highest_modseq
    await store.store(mailbox_id, [(1, 8)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    store.pass_time(7 * 86400 - 10)
    await store.store(mailbox_id, [(9, 9)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.parts.maintenance.round()
    news = await store.front.changes(ChangesQuestion(mailbox_id, 1, since))
    assert (news.status, uids(news.vanished)) == ("ok", list(range(1, 10)))
    store.pass_time(20)
    await store.parts.maintenance.round()
    assert await store.pool.fetchval("select count(*) from mailstore.expunged") == 1
    assert (await store.front.changes(ChangesQuestion(mailbox_id, 1, since))).status == "expired"
    later = await store.front.changes(ChangesQuestion(mailbox_id, 1, news.highest_modseq - 1))
    assert (later.status, uids(later.vanished)) == ("ok", [9])


async def test_hand_over_ids_outlive_all_that_is_under_way(store, mailbox_id):
    """Partitions go by the queue id's own time: not before lifetime + 24 h, and never before the oldest under way."""
    day = timedelta(days=1)
    await store.parts.maintenance.round()
    assert await partitions(store) == [*(f"filed_2026030{day}" for day in range(1, 9)), "filed_rest"]
    (body_id,) = await store.put(message())
    item = store.filing(mailbox_id, body_id, queue_id=id_at(START))
    assert await store.file(item) == ["filed"]
    assert await store.pool.fetchval("select count(*) from mailstore.filed_20260301") == 1
    store.clock.current = START + day * 2
    under_way = id_at(START - timedelta(seconds=5))
    await store.queue.file(FilingList([], under_way))
    await store.parts.maintenance.round()
    assert "filed_20260301" in await partitions(store)  # 48 h are not over
    store.clock.current = START + day * 4
    await store.parts.maintenance.round()
    assert "filed_20260301" in await partitions(store) and await store.file(item) == ["already"]
    await store.queue.file(FilingList([], id_floor((START + day).timestamp())))
    await store.parts.maintenance.round()
    assert "filed_20260301" not in await partitions(store)
    assert await store.pool.fetchval("select max(uid) from mailstore.message") == 1


async def test_days_whose_ids_came_before_their_partition(store, mailbox_id):
    (body_id,) = await store.put(message())
    item = store.filing(mailbox_id, body_id, queue_id=id_at(START))
    assert await store.file(item) == ["filed"]  # no partition yet: the default one
    await store.parts.maintenance.round()
    assert await partitions(store) == [*(f"filed_2026030{day}" for day in range(2, 9)), "filed_rest"]
    assert await store.file(item) == ["already"]
    store.pass_time(86400 * 4)
    await store.queue.file(FilingList([], id_floor(store.clock.timestamp())))
    await store.parts.maintenance.round()
    assert await store.pool.fetchval("select count(*) from mailstore.filed") == 0


async def test_one_replica_maintains_and_another_takes_over(store):
    other = assemble(store.settings, store.pool, store.bodies, store.clock).maintenance
    await store.parts.maintenance.round()
    first = await store.pool.fetchrow("select holder, fence from mailstore.singleton")
    await other.round()
    assert await store.pool.fetchrow("select holder, fence from mailstore.singleton") == first
    store.pass_time(PERIOD.total_seconds() + 61)
    await other.round()
    second = await store.pool.fetchrow("select holder, fence from mailstore.singleton")
    assert second["holder"] != first["holder"] and second["fence"] == first["fence"] + 1
    await other.end()  # a drain gives it back at once
    await store.parts.maintenance.round()
    assert await store.pool.fetchval("select holder from mailstore.singleton") == first["holder"]


async def test_a_replica_that_slept_through_its_lease_writes_nothing(store):
    other = assemble(store.settings, store.pool, store.bodies, store.clock).maintenance
    await store.pool.execute(
        "insert into mailstore.operation (mailbox_id, id, made_at, answer) values ($1, $1, $2, '')",
        new_id(),
        store.clock.now() - timedelta(hours=1),
    )
    mine = store.parts.maintenance
    assert await mine._lease.mine()
    store.pass_time(PERIOD.total_seconds() + 61)
    assert await other._lease.mine()
    with pytest.raises(LeaseLost):
        await mine._operations()
    assert await store.pool.fetchval("select count(*) from mailstore.operation") == 1
    assert await other._operations() == 1


async def test_a_purge_goes_in_slices_and_its_repeat_finishes_it(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.writing.purge.SLICE", 4)
    await store.deliver(mailbox_id, *[message()] * 9)
    await store.append(mailbox_id, message(), "Sent")
    await store.pool.execute("delete from bodies.candidate")
    leaving = store.bodies.leaving
    calls = 0

    async def dies(*arguments):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError("killed here")
        await leaving(*arguments)

    monkeypatch.setattr(store.bodies, "leaving", dies)
    with pytest.raises(Exception, match="away|503"):
        await store.admin.purge_mailbox(str(mailbox_id))
    assert await store.pool.fetchval("select count(*) from mailstore.message") == 6
    (body_id,) = await store.put(message())
    assert await store.file(store.filing(mailbox_id, body_id)) == ["gone"]
    assert await store.admin.purge_mailbox(str(mailbox_id)) == 6
    assert await store.admin.purge_mailbox(str(mailbox_id)) == 0
    left = await store.pool.fetchval("select count(*) from bodies.candidate")
    assert left == 10 + 1  # the ten that went, and the one just put
    shown = await store.admin.show_usage(str(mailbox_id))
    assert (shown["usage"], shown["purged"], shown["folders"]) == (0, True, [])


async def test_operators_see_what_a_mailbox_holds(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=1000), quota_limit=ROOM, limit_version=3)
    shown = await store.admin.show_usage(str(mailbox_id))
    assert shown == {
        "id": str(mailbox_id),
        "usage": await store.usage(mailbox_id),
        "quota_limit": ROOM,
        "purged": False,
        "folders": ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"],
        "messages": 1,
        "message_limit": 1_000_000,
        "charged": await store.usage(mailbox_id),
    }
    empty = await store.admin.show_usage(str(new_id()))
    assert (empty["usage"], empty["folders"]) == (0, [])
    stranger = MailstoreAdmin(store.url, "frontend-token")
    with pytest.raises(Forbidden):
        await stranger.purge_mailbox(str(mailbox_id))
    await stranger.aclose()


async def test_a_purge_among_filings_leaves_nothing_behind(store, mailbox_id):
    body_ids = await store.put(*[message(str(n)) for n in range(40)])
    answers = await asyncio.gather(
        *(store.file(store.filing(mailbox_id, body_id)) for body_id in body_ids[:20]),
        store.admin.purge_mailbox(str(mailbox_id)),
        *(store.file(store.filing(mailbox_id, body_id)) for body_id in body_ids[20:]),
    )
    assert {status for answer in answers if isinstance(answer, list) for status in answer} <= {"filed", "gone"}
    await store.admin.purge_mailbox(str(mailbox_id))
    assert await store.pool.fetchval("select count(*) from mailstore.message") == 0
    assert await store.usage(mailbox_id) == 0


async def test_bodies_in_a_database_of_their_own(store, mailbox_id, postgres):
    with postgres.database(("bodystore", "bodies")) as elsewhere:
        bodies_pool = await create_pool(elsewhere, service="mailstore", size=4, settings=PLANNER)
        bodies = OtherDatabase(bodies_pool)
        parts = assemble(store.settings, store.pool, bodies, store.clock, disk=store.disk)
        ids = [new_id() for _ in range(3)]
        await bodies.put([(i, message(f"m{n}")) for n, i in enumerate(ids)], store.clock.now())
        await bodies.mark([ids[2]], store.clock.now())
        filings = [store.filing(mailbox_id, i) for i in ids]
        assert [a.status for a in await parts.filer.file(filings)] == ["filed", "filed", "failed"]
        head = Append(mailbox_id, "Sent", [], None, ROOM, 1, new_id())
        assert (await parts.steps.appender.append(head, message("mine"))).status == "ok"
        await bodies_pool.execute("delete from bodies.candidate")
        await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
        assert uids((await parts.steps.expunger.expunge(ExpungeQuestion(mailbox_id, 1, new_id()))).uids) == [1]
        assert await bodies_pool.fetchval("select count(*) from bodies.candidate") == 0
        store.pass_time(8 * 86400)
        await parts.maintenance.round()
        assert await bodies_pool.fetchval("select body_id from bodies.candidate") == ids[0]
        assert await store.pool.fetchval("select count(*) from bodies.body") == 0
        await bodies_pool.close()


async def test_a_collector_waits_for_a_filing_under_way(store, mailbox_id, monkeypatch):
    """The mark of decision 4: a body that is being filed cannot be marked before the filing's end, and is seen then."""
    (body_id,) = await store.put(message())
    written, goes = asyncio.Event(), asyncio.Event()

    insert = FilingTransaction.insert

    async def inserted(*given):
        await insert(*given)
        written.set()
        await goes.wait()

    monkeypatch.setattr(FilingTransaction, "insert", inserted)
    filing = asyncio.create_task(store.file(store.filing(mailbox_id, body_id)))
    async with asyncio.timeout(patient(20)):
        await written.wait()
        marking = asyncio.create_task(store.bodies.mark([body_id], store.clock.now()))
        while not await store.pool.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
        assert not filing.done() and not marking.done()
        goes.set()
        assert await filing == ["filed"] and await marking == [body_id]


async def test_tombstones_of_a_held_folder_stay_and_the_others_go(store):
    """Maintenance waits for no session (decision 0034)."""
    held, free = new_id(), new_id()
    for mailbox_id in (held, free):
        await store.deliver(mailbox_id, *[message()] * 3)
        await store.store(mailbox_id, [(1, 3)], "add", "\\Deleted")
        await store.expunge(mailbox_id)
    store.pass_time(8 * 86400)
    left = "select distinct mailbox_id from mailstore.expunged"
    holder = await asyncpg.connect(store.dsn)
    async with holder.transaction(), asyncio.timeout(patient(20)):
        await holder.execute("select 1 from mailstore.folder where mailbox_id = $1 for update", held)
        await store.parts.maintenance.round()
        assert [row["mailbox_id"] for row in await store.pool.fetch(left)] == [held]
    await store.parts.maintenance.round()
    assert await store.pool.fetch(left) == []
    await holder.close()
