"""/v1/filings: what is filed, answered and counted; quotas to the octet; repeats; what is wrong with one of many."""

import asyncio

import asyncpg
import pytest

from bodystore import SameDatabase
from mailkit.errors import Forbidden, Unauthorised
from mailkit.ids import new_id
from mailkit.postgres.pool import PLANNER, create_pool
from mailkit.testing.speed import patient
from mailstore import metrics
from mailstore.model.folder_names import FOLDERS
from mailstore.model.quota import Charge
from mailstore.parts import assemble
from mailstore.storage.filing import Filings
from mailstore.writing.filing import Filer
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import (
    Append,
    ChangesQuestion,
    CopyQuestion,
    FilingList,
    OpenFolder,
    ReferenceList,
    RoomQuestion,
    Section,
)

from .conftest import PREFIX, ROOM, START, message, uids


class Rollback(Exception):
    """Ends a test's transaction without its changes."""


async def test_a_message_is_filed_once_and_read_with_its_prefix(store, mailbox_id):
    (body_id,) = await store.put(message("first"))
    item = store.filing(mailbox_id, body_id)
    assert await store.file(item, item) == ["filed", "already"]
    assert await store.file(item) == ["already"]
    inbox = await store.open(mailbox_id)
    assert (uids(inbox.uids), inbox.uidnext, inbox.highest_modseq) == ([1], 2, 2)
    assert await store.texts(mailbox_id) == {1: PREFIX + message("first")}
    (row,) = await store.fetch(mailbox_id, ["RFC822.SIZE", "INTERNALDATE", "ENVELOPE"])
    assert row[:3] == [1, len(PREFIX + message("first")), int(START.timestamp())] and b'"first"' in row[3]
    assert await store.usage(mailbox_id) == len(PREFIX + message("first"))


async def test_what_comes_for_a_folder_of_a_purged_mailbox_is_gone(store, mailbox_id):
    """It was taken for a mailbox that another session has locked, and was tried again until its end."""
    await store.deliver(mailbox_id, message("first"))
    await store.admin.purge_mailbox(str(mailbox_id))
    body_ids = await store.put(message("second"), message("third"))
    items = [
        store.filing(mailbox_id, body_id, **more)
        for body_id, more in zip(
            body_ids, ({"folder": "\\Junk", "flags": ["$Junk"]}, {"flags": ["$Junk"]}), strict=True
        )
    ]
    assert await store.file(*items) == ["gone", "gone"]


async def test_a_message_is_filed_into_the_folder_with_its_special_use(store, mailbox_id):
    await store.deliver(mailbox_id, message("first"))
    junk = {"folder": "\\Junk", "flags": ["$Junk", "\\Seen"]}
    body_ids = await store.put(message("second"), message("third"), message("fourth"))
    items = [
        store.filing(mailbox_id, body_id, **more) for body_id, more in zip(body_ids, (junk, {}, junk), strict=True)
    ]
    assert await store.file(*items) == ["filed"] * 3 and await store.file(*items) == ["already"] * 3
    inbox, spam = await store.open(mailbox_id), await store.open(mailbox_id, "Junk")
    assert (uids(inbox.uids), uids(spam.uids)) == ([1, 2], [1, 2])
    assert (spam.keywords, spam.uidnext, inbox.keywords) == (["$Junk"], 3, [])
    found = {each.name: (each.messages, each.unseen) for each in (await store.folders(mailbox_id)).values()}
    assert (found["INBOX"], found["Junk"]) == ((2, 2), (2, 0))


async def test_without_such_a_folder_it_is_filed_into_the_inbox(store, mailbox_id):
    assert await store.file(
        *(
            store.filing(mailbox_id, body_id, folder=folder, flags=["$Junk"] if folder else [])
            for body_id, folder in zip(await store.put(*map(message, "abc")), ("\\All", "", "\\All"), strict=True)
        )
    ) == ["filed"] * 3  # fmt: skip
    inbox = await store.open(mailbox_id)
    assert (uids(inbox.uids), inbox.keywords) == ([1, 2, 3], ["$Junk"])


async def test_a_folder_that_another_session_holds_is_filed_into_later(store, mailbox_id):
    await store.deliver(mailbox_id, message("first"))
    (body_id,) = await store.put(message("second"))
    item = store.filing(mailbox_id, body_id, folder="\\Junk")
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from mailstore.folder where special_use = '\\Junk' for update")
        assert await store.file(item) == ["failed"]
        await store.deliver(mailbox_id, message("third"))
    assert await store.file(item) == ["filed"]
    assert uids((await store.open(mailbox_id, "Junk")).uids) == [1]


async def test_one_body_to_many_mailboxes_is_one_body(store):
    (body_id,) = await store.put(message())
    mailboxes = [new_id() for _ in range(300)]
    assert set(await store.file(*(store.filing(m, body_id) for m in mailboxes))) == {"filed"}
    assert await store.pool.fetchval("select count(*) from bodies.body") == 1
    assert await store.pool.fetchval("select count(distinct mailbox_id) from mailstore.message") == 300


async def test_a_list_is_a_constant_number_of_statements(store):
    seen = []

    async def watch(connection):
        connection.add_query_logger(lambda record: seen.append(record.query))

    watched = await create_pool(store.dsn, service="watched", size=2, settings=PLANNER, init=watch)
    filer = Filer(
        Filings(watched, store.parts.notifications),
        SameDatabase(watched),
        store.clock,
        store.disk,
        Charge(),
        store.parts.warner,
    )

    async def statements(count):
        body_ids = await store.put(*(message(str(n)) for n in range(count)))
        mailboxes = [new_id() for _ in body_ids]
        assert {a.status for a in await filer.file([store.filing(m, body_ids[0]) for m in mailboxes])} == {"filed"}
        seen.clear()
        items = [store.filing(m, b) for m, b in zip(mailboxes, body_ids, strict=True)]
        assert {a.status for a in await filer.file(items)} == {"filed"}
        return len(seen)

    assert await statements(2) == await statements(50) > 5
    await watched.close()


async def test_quota_is_exact_among_twenty_lists_at_once(store, mailbox_id):
    body = message(size=1000)
    size = len(PREFIX) + len(body)
    limit = size * 13 + 7
    body_ids = await store.put(*([body] * 20))
    lists = [[store.filing(mailbox_id, b, quota_limit=limit)] for b in body_ids]
    answers = await asyncio.gather(*(store.file(*items) for items in lists))
    statuses = [answer[0] for answer in answers]
    assert (statuses.count("filed"), statuses.count("full")) == (13, 7)
    assert await store.usage(mailbox_id) == size * 13
    again = await asyncio.gather(*(store.file(*items) for items in lists))
    assert sorted(a[0] for a in again) == ["already"] * 13 + ["full"] * 7


async def test_filings_appends_and_copies_together_never_pass_the_limit(store, mailbox_id):
    body = message(size=2000)
    await store.deliver(mailbox_id, body)
    limit = await store.usage(mailbox_id) + 2000 * 9 + 100
    body_ids = await store.put(*([body[: 2000 - len(PREFIX)]] * 10))
    work = [store.file(store.filing(mailbox_id, b, quota_limit=limit, limit_version=2)) for b in body_ids]
    work += [store.append(mailbox_id, body, "Sent", quota_limit=limit, limit_version=2) for _ in range(10)]
    work += [store.copy(mailbox_id, [(1, 1)], "Trash", quota_limit=limit, limit_version=2) for _ in range(10)]
    answers = await asyncio.gather(*work)
    good = sum(1 for a in answers if a == ["filed"] or getattr(a, "status", "") == "ok")
    usage = await store.usage(mailbox_id)
    assert good in (8, 9) and limit - 2100 < usage <= limit


async def test_the_limit_of_the_highest_version_decides(store, mailbox_id):
    body_ids = await store.put(*([message(size=1000)] * 4))
    assert await store.file(store.filing(mailbox_id, body_ids[0], quota_limit=ROOM, limit_version=5)) == ["filed"]
    assert await store.file(store.filing(mailbox_id, body_ids[1], quota_limit=10, limit_version=4)) == ["filed"]
    assert await store.file(store.filing(mailbox_id, body_ids[2], quota_limit=10, limit_version=6)) == ["full"]
    assert await store.file(store.filing(mailbox_id, body_ids[3], quota_limit=10, limit_version=6, exempt=True)) == [
        "filed"
    ]


async def test_room_says_now_never_and_gone(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=5000), quota_limit=10_000)
    purged = new_id()
    await store.admin.purge_mailbox(str(purged))

    def ask(box, size, limit=10_000, version=1):
        return RoomQuestion(box, size, limit, version)

    questions = [
        ask(mailbox_id, 4000),
        ask(mailbox_id, 5000),
        ask(mailbox_id, 10_001),
        ask(purged, 1),
        ask(new_id(), 10_000),
    ]
    assert await store.gateway.room(questions) == ["room", "full", "never", "gone", "room"]
    assert await store.gateway.room([ask(mailbox_id, 5000, 20_000, 2)]) == ["room"]


async def test_a_body_that_is_gone_or_being_collected_fails_alone(store, mailbox_id):
    good, marked = await store.put(message("good"), message("marked"))
    await store.bodies.mark([marked], store.clock.now())
    items = [store.filing(mailbox_id, body_id) for body_id in (marked, good, new_id())]
    assert await store.file(*items) == ["failed", "filed", "failed"]
    await store.bodies.unmark([marked], store.clock.now())
    assert await store.file(items[0]) == ["filed"]


async def test_a_queue_whose_clock_is_ahead_files_nothing_in_the_future(store, mailbox_id):
    """RFC 3501 2.3.3: INTERNALDATE is when the message was received; clients sort by it, and SINCE and BEFORE compare it."""
    body_ids = await store.put(message("ahead"), message("behind"))
    now = store.clock.timestamp()
    items = [
        store.filing(mailbox_id, i, received_at=at) for i, at in zip(body_ids, (now + 86400, now - 60), strict=True)
    ]
    assert await store.file(*items) == ["filed", "filed"]
    assert [row[1] for row in await store.fetch(mailbox_id, ["INTERNALDATE"])] == [int(now), int(now - 60)]


async def test_one_poisoned_item_fails_alone(store, mailbox_id):
    body_ids = await store.put(*(message(str(n)) for n in range(9)))
    items = [store.filing(mailbox_id, body_id) for body_id in body_ids]
    items[4] = store.filing(mailbox_id, body_ids[4], received_at=1e18)  # no date of this world
    assert await store.file(*items) == ["filed"] * 4 + ["failed"] + ["filed"] * 4
    inbox = await store.open(mailbox_id)
    assert uids(inbox.uids) == list(range(1, 9))


async def test_a_full_disk_refuses_mail_while_reading_and_deleting_go_on(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    (body_id,) = await store.put(message())
    item = store.filing(mailbox_id, body_id)
    store.disk.full = True
    assert await store.file(item) == ["no_space"]
    assert (await store.append(mailbox_id, message())).status == "no_space"
    assert (await store.copy(mailbox_id, [(1, 1)], "Sent")).status == "no_space"
    assert len(await store.texts(mailbox_id)) == 1
    assert (await store.copy(mailbox_id, [(1, 1)], "Trash", move=True)).status == "ok"
    assert (await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted", folder_id=5)).status == "ok"
    assert uids((await store.expunge(mailbox_id, folder_id=5)).uids) == [1]
    store.disk.full = False
    assert await store.file(item) == ["filed"]


async def test_large_bodies_go_in_transactions_of_bounded_size(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.writing.filing.MOST_BYTES", 500_000)
    bodies = [message(str(n), size=300_000) for n in range(4)]
    await store.deliver(mailbox_id, *bodies)
    assert await store.texts(mailbox_id) == {n: PREFIX + body for n, body in enumerate(bodies, 1)}
    assert await store.pool.fetchval("select count(distinct xmin::text) from mailstore.message") == 4


async def test_uids_and_modseqs_rise_under_concurrent_filings_and_nobody_sees_a_gap(store, mailbox_id):
    """A reader that asks "what since?" while others file is told of every message exactly once."""
    body_ids = await store.put(*(message(str(n)) for n in range(120)))
    await store.open(mailbox_id)
    told, since, done = [], 1, asyncio.Event()

    async def read():
        nonlocal since
        while True:
            last = done.is_set()
            news = await store.front.changes(ChangesQuestion(mailbox_id, 1, since))
            told.extend(uids(news.uids))
            since = news.highest_modseq
            if last:
                return

    async def write(part):
        for body_id in part:
            assert await store.file(store.filing(mailbox_id, body_id)) == ["filed"]

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(body_ids[n::6]) for n in range(6)))
    done.set()
    await reader
    assert sorted(told) == list(range(1, 121)) and told == sorted(told)


async def test_new_mailboxes_met_by_many_lists_at_once(store):
    """Lists that make overlapping new mailboxes never wait for each other in a circle."""
    mailboxes = [new_id() for _ in range(150)]
    (body_id,) = await store.put(message())
    another = Filer(
        Filings(store.pool, store.parts.notifications),
        store.bodies,
        store.clock,
        store.disk,
        Charge(),
        store.parts.warner,
    )
    work = []
    for n in range(12):
        items = [store.filing(m, body_id) for m in (mailboxes if n % 2 else reversed(mailboxes))][n : n + 100]
        work.append((store.parts.filer if n % 3 else another).file(items))
    answers = await asyncio.gather(*work)
    assert {answer.status for part in answers for answer in part} == {"filed"}
    made = await store.pool.fetchval("select count(*) from mailstore.mailbox")
    assert await store.pool.fetchval("select count(*) from mailstore.folder") == made * len(FOLDERS)
    assert await store.pool.fetchval("select count(*) from mailstore.message") == 12 * 100


async def test_which_bodies_mailboxes_refer_to(store, mailbox_id):
    kept, loose = await store.put(message("kept"), message("loose"))
    await store.file(store.filing(mailbox_id, kept))
    assert await store.queue.references(ReferenceList([loose, kept, new_id()])) == [False, True, False]


LOCKS = {
    "mailbox": "select 1 from mailstore.mailbox where id = $1 for update",
    "INBOX": "select 1 from mailstore.folder where mailbox_id = $1 and folder_id = 1 for update",
    "mailbox being made": "insert into mailstore.mailbox (id) values ($1)",
}


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_locked_mailbox_is_passed_over_and_filed_when_it_is_free(store, lock):
    """One session that holds a mailbox's row stops that mailbox's mail and no other's (decision 0034)."""
    mailboxes = [new_id() for _ in range(51)]
    held = mailboxes[25]
    (body_id,) = await store.put(message())
    if "made" not in lock:
        await store.file(*(store.filing(m, body_id) for m in mailboxes))
    holder = await asyncpg.connect(store.dsn)
    try:
        async with holder.transaction(), asyncio.timeout(patient(20)):
            await holder.execute(LOCKS[lock], held)
            items = [store.filing(m, body_id) for m in mailboxes]
            answers = await asyncio.gather(
                store.file(*items), *(store.file(item) for item in items if item.mailbox_id != held)
            )
            assert [m for m, answer in zip(mailboxes, answers[0], strict=True) if answer == "failed"] == [held]
            assert {answer for part in answers for answer in part} == {"filed", "already", "failed"}
            if "made" in lock:
                raise Rollback
    except Rollback:
        pass
    finally:
        await holder.close()
    item = items[25]
    assert await store.file(item) == ["filed"]
    assert await store.file(item) == ["already"]
    assert len(await store.texts(held)) == (1 if "made" in lock else 2)


async def test_a_mailbox_that_is_free_again_soon_is_filed_in_the_same_call(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.storage.filing.IN_LINE_MS", 10_000)
    (body_id,) = await store.put(message())
    await store.open(mailbox_id)
    holder = await asyncpg.connect(store.dsn)
    turns, transact = [], store.parts.filer._transact

    async def watched(items, *given, **more):
        turns.append(len(items))
        if more:
            asyncio.get_running_loop().call_later(0.1, free.set)
        return await transact(items, *given, **more)

    store.parts.filer._transact = watched
    free = asyncio.Event()
    async with asyncio.timeout(patient(20)):
        async with holder.transaction():
            await holder.execute(LOCKS["mailbox"], mailbox_id)
            filing = asyncio.create_task(store.file(store.filing(mailbox_id, body_id), store.filing(new_id(), body_id)))
            await free.wait()
        assert await filing == ["filed", "filed"]
    assert turns == [2, 1]
    await holder.close()


async def test_a_body_that_the_collector_is_marking_is_waited_for_by_nobody(store):
    marked, other = await store.put(message("one"), message("two"))
    holder = await asyncpg.connect(store.dsn)
    async with holder.transaction(), asyncio.timeout(patient(20)):
        await holder.execute("update bodies.body set marked_at = now() where id = $1", marked)
        assert await store.file(store.filing(new_id(), marked), store.filing(new_id(), other)) == ["failed", "filed"]
    await holder.close()


@pytest.mark.parametrize(
    ("caller", "refused"),
    [("gateway", Forbidden), ("frontend", Forbidden), ("admin", Forbidden), ("nobody", Unauthorised)],
)
async def test_only_the_queue_files(store, caller, refused):
    with pytest.raises(refused):
        await store.client(caller).file(FilingList([]))


async def test_the_queue_and_the_gateway_do_not_read(store, mailbox_id):
    for caller in ("queue", "gateway"):
        client: MailstoreClient = store.client(caller)
        with pytest.raises(Forbidden):
            await client.open_folder(OpenFolder(mailbox_id, "INBOX", True))


async def test_a_lost_body_does_not_make_the_others_unreadable(store, mailbox_id):
    await store.deliver(mailbox_id, message("one"), message("two"), message("three"))
    await store.pool.execute(
        "delete from bodies.chunk where body_id = (select body_id from mailstore.message where mailbox_id = $1 and uid = 2)",
        mailbox_id,
    )
    rows = await store.fetch(mailbox_id, sections=[Section(), Section(text="HEADER")])
    assert [row[0] for row in rows] == [1, 2, 3] and rows[1][1:] == [None, None] and rows[2][1].endswith(b"Hello.\r\n")


@pytest.mark.parametrize("what", ["rows", "number"])
async def test_quota_counts_rows_too(settings, pool, store, mailbox_id, what):
    """Each message costs its row, also one filed before; and a mailbox has a number of messages (decision 0035). Refusals are
    counted by what was refused and for want of what."""
    counted = {"rows": "octets", "number": "messages"}

    def refused() -> list[float]:
        return [
            metrics.OVER_LIMIT.labels(each, limit)._value.get()
            for each in ("filing", "append", "copy")
            for limit in (counted[what], counted["number" if what == "rows" else "rows"])
        ]

    before = refused()
    body = message(size=500)
    size = len(PREFIX) + len(body)
    given = {"message_row_bytes": 1024} if what == "rows" else {"mailbox_messages": 5}
    parts = assemble(settings.model_copy(update=given), pool, store.bodies, store.clock, disk=store.disk)
    limit = (size + 1024) * 5 + 1000 if what == "rows" else ROOM
    body_ids = await store.put(*([body] * 7))
    assert await store.file(store.filing(mailbox_id, body_ids[0], quota_limit=limit)) == ["filed"]  # not charged then
    items = [store.filing(mailbox_id, body_id, quota_limit=limit) for body_id in body_ids[1:]]
    assert [a.status for a in await parts.filer.file(items)] == ["filed"] * 4 + ["full"] * 2
    head = Append(mailbox_id, "Sent", [], None, limit, 1, new_id())
    assert (await parts.steps.appender.append(head, body)).status == "overquota"
    copy = CopyQuestion(mailbox_id, 1, [(1, 1)], "Trash", False, limit, 1, new_id())
    assert (await parts.steps.copier.copy(copy)).status == "overquota"
    assert [after - was for after, was in zip(refused(), before, strict=True)] == [2, 0, 1, 0, 1, 0]
    assert await store.usage(mailbox_id) == size * 5  # octets alone: nothing to migrate, nothing to go below zero
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    assert [a.status for a in await parts.filer.file(items)] == ["already"] * 4 + ["filed", "full"]
    shown = await store.admin.show_usage(str(mailbox_id))
    assert (shown["messages"], shown["message_limit"], shown["charged"]) == (5, 1_000_000, size * 5)
