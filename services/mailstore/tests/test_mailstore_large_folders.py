"""What COPY, MOVE, EXPUNGE and LIST cost in a large folder: statements of a bounded size, and no look at what is not asked for."""

import asyncio
import json
import tracemalloc

import pytest

from mailkit.postgres.migrate import upgrade
from mailkit.testing.speed import patient
from mailstore.storage import messages, views
from mailstore.writing import copy, expunge
from mailstore_api.wire import DELETED, MailboxQuestion

from .conftest import ROOM, masks, message, uids

LARGE = 20_000


async def fill(store, mailbox_id, count, *, deleted=0):
    """INBOX gets `count` copies of one message with a prefix of 1 KB, the last `deleted` of them marked."""
    await store.deliver(mailbox_id, message(), prefix=b"X: " + b"x" * 1000 + b"\r\n")
    await store.pool.execute(
        "with r as (insert into mailstore.rendered select mailbox_id, folder_id, n, envelope, body, bodystructure, parts, sent_day, "
        "subject, from_, to_, cc, bcc from mailstore.rendered cross join generate_series(2, $2::int) as n where mailbox_id = $1 and uid = 1), "
        "m as (insert into mailstore.message select mailbox_id, folder_id, n, body_id, prefix, size, case when n > $2 - $3::int then 4 else 0 "
        "end, 2, internaldate from mailstore.message cross join generate_series(2, $2::int) as n where mailbox_id = $1 and uid = 1 returning size), "
        "f as (update mailstore.folder set uidnext = $2 + 1, messages = $2, unseen = $2, octets = octets + (select sum(size) from m) "
        "where mailbox_id = $1 and folder_id = 1) "
        "update mailstore.mailbox set usage = usage + (select sum(size) from m) where id = $1",
        mailbox_id,
        count,
        deleted,
    )
    await store.pool.execute("analyze mailstore.message")


@pytest.mark.parametrize("move", [False, True], ids=["copy", "move"])
async def test_a_set_is_copied_in_batches_and_under_uids_in_one_row(store, mailbox_id, monkeypatch, move):
    monkeypatch.setattr(copy, "BATCH", 3)
    await store.deliver(mailbox_id, *[message(f"m{n}") for n in range(1, 13)])
    await store.store(mailbox_id, [(2, 4), (9, 9)], "add", "\\Seen", "Work")
    await store.append(mailbox_id, message("there"), "Trash", ["Home"])
    before = await store.usage(mailbox_id)
    answer = await store.copy(mailbox_id, [(1, 8), (10, 11)], "Trash", move=move)
    assert (answer.status, uids(answer.uids), uids(answer.new_uids)) == ("ok", [*range(1, 9), 10, 11], [*range(2, 12)])
    target = await store.open(mailbox_id, "Trash")
    assert uids(target.uids) == [*range(1, 12)] and target.keywords == ["Home", "Work"]
    assert [bool(mask & 8) for mask in masks(target.flags)] == [False, False, True, True, True, *[False] * 6]
    assert [mask >> 8 for mask in masks(target.flags)] == [1, 0, 2, 2, 2, *[0] * 6]
    texts = await store.texts(mailbox_id, target.folder_id)
    assert [b"Subject: m%d\r\n" % n in texts[n + 1] for n in range(1, 9)] == [True] * 8
    assert uids((await store.open(mailbox_id)).uids) == ([9, 12] if move else [*range(1, 13)])
    size = sum(len(text) for uid, text in texts.items() if uid > 1)
    assert await store.usage(mailbox_id) == before + (0 if move else size)


async def test_a_copy_in_batches_within_its_folder_ends(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(copy, "BATCH", 2)
    await store.deliver(mailbox_id, *[message(f"m{n}") for n in range(5)])
    answer = await store.copy(mailbox_id, [(1, 2**32 - 1)], "INBOX")
    assert uids(answer.new_uids) == [6, 7, 8, 9, 10]
    answer = await store.copy(mailbox_id, [(1, 2**32 - 1)], "INBOX", move=True)
    assert uids(answer.uids) == [*range(1, 11)] and uids((await store.open(mailbox_id)).uids) == [*range(11, 21)]
    await store.usage(mailbox_id)


async def test_a_copy_that_fails_in_a_later_batch_changes_nothing(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(copy, "BATCH", 2)
    await store.deliver(mailbox_id, *[message(f"m{n}") for n in range(5)])
    before, calls = await store.usage(mailbox_id), []
    carry = copy.carry

    def failing(*given):
        calls.append(given)
        if len(calls) == 4:  # once for all, then for each batch
            raise copy.TooManyKeywords
        return carry(*given)

    monkeypatch.setattr(copy, "carry", failing)
    assert (await store.copy(mailbox_id, [(1, 5)], "Trash", move=True)).status == "overquota"
    assert len(calls) == 4 and (await store.folders(mailbox_id))["Trash"].messages == 0
    assert await store.usage(mailbox_id) == before and len(uids((await store.open(mailbox_id)).uids)) == 5


async def test_a_large_copy_is_not_in_memory(store, mailbox_id):
    await fill(store, mailbox_id, LARGE)
    tracemalloc.start()
    try:
        answer = await store.copy(mailbox_id, [(1, LARGE)], "Trash", quota_limit=100 * ROOM, limit_version=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status == "ok" and uids(answer.new_uids) == [*range(1, LARGE + 1)]
    assert peak < 8 * 1024 * 1024  # the prefixes alone are 20 MB


async def test_many_leave_in_batches(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(expunge, "BATCH", 4)
    await store.deliver(mailbox_id, *[message(f"m{n}") for n in range(11)])
    await store.store(mailbox_id, [(1, 10)], "add", "\\Deleted")
    answer = await store.expunge(mailbox_id)
    assert uids(answer.uids) == [*range(1, 11)] and uids((await store.open(mailbox_id)).uids) == [11]
    await store.usage(mailbox_id)
    assert len({row["modseq"] for row in await store.pool.fetch("select modseq from mailstore.expunged")}) == 1


async def test_expunge_looks_at_the_messages_that_are_deleted(store, mailbox_id):
    await fill(store, mailbox_id, LARGE, deleted=3)
    assert await _rows_read(store, messages.queries.deleted_uids, mailbox_id, 1) == 3
    answer = await store.expunge(mailbox_id)
    assert uids(answer.uids) == [LARGE - 2, LARGE - 1, LARGE]
    assert DELETED == 4  # as the index says


@pytest.mark.parametrize(
    ("seen", "count", "most"),
    [(1, LARGE, 0), (LARGE + 1, 0, 0), (11, LARGE - 10, 10), (LARGE - 4, 5, 5)],
    ids=["never selected", "all seen", "most are recent", "few are recent"],
)
async def test_recent_messages_are_counted_from_the_side_where_they_are_fewer(store, mailbox_id, seen, count, most):
    """In a folder of a release before 0013 that no session has claimed yet (decision 0079)."""
    await fill(store, mailbox_id, LARGE)
    await store.pool.execute(
        "update mailstore.folder set recent_from = $2, recent = null where mailbox_id = $1 and folder_id = 1",
        mailbox_id,
        seen,
    )
    assert (await store.folders(mailbox_id))["INBOX"].recent == count
    assert await _rows_read(store, views.queries.list_folders, mailbox_id, True) == most
    assert await _rows_read(store, views.queries.list_folders, mailbox_id, False) == 0
    listed = await store.front.list_folders(MailboxQuestion(mailbox_id, recent=False))
    assert {folder.recent for folder in listed} == {0}


async def _rows_read(store, statement, *given):
    """Rows of `message` that a statement reads."""
    (found,) = json.loads(await store.pool.fetchval(f"explain (analyze, format json) {statement}", *given))

    def of(node):
        own = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        return (own if node.get("Relation Name") == "message" else 0) + sum(map(of, node.get("Plans", ())))

    return of(found["Plan"])


async def test_the_index_is_made_beside_the_traffic_and_again_after_an_interruption(store, mailbox_id):
    """Migration 0005: a message that is being filed neither waits for it nor is missing from it."""
    await store.deliver(mailbox_id, message(), message())
    pool = store.pool
    await pool.execute("drop index mailstore.message_deleted; update mailstore.schema_version set version_num = '0004'")
    await pool.execute("update mailstore.schema_min_code set version = 4; drop table mailstore.backfill")
    await pool.execute("drop index mailstore.rendered_unfilled")
    # what an interruption leaves behind
    await pool.execute("create index message_deleted on mailstore.message (mailbox_id) where flags & 4 <> 0")
    await pool.execute(
        "update pg_index set indisvalid = false where indexrelid = 'mailstore.message_deleted'::regclass"
    )
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("update mailstore.message set flags = 4 where mailbox_id = $1 and uid = 1", mailbox_id)
        step = asyncio.create_task(upgrade(store.dsn, "mailstore", "mailstore"))
        waits = "select count(*) from pg_stat_activity where query like 'drop index%' and wait_event_type = 'Lock'"
        async with asyncio.timeout(patient(20)):
            while not await pool.fetchval(waits):
                await asyncio.sleep(0.01)
        await store.store(mailbox_id, [(2, 2)], "add", "\\Deleted")
        await transaction.commit()
    assert await step
    assert uids((await store.expunge(mailbox_id)).uids) == [1, 2]
    valid = "select indisvalid and indisready from pg_index where indexrelid = 'mailstore.message_deleted'::regclass"
    assert await pool.fetchval(valid)


async def test_a_folder_with_more_keywords_than_a_half_of_a_number_holds(store, mailbox_id):
    """Their bits come in an array of their own (storage/views.sql)."""
    await store.deliver(mailbox_id, message(), message())
    for number in range(30):
        await store.store(mailbox_id, [(2, 2)], "add", f"k{number}")
    snapshot = await store.open(mailbox_id)
    assert uids(snapshot.uids) == [1, 2]
    assert masks(snapshot.flags) == [0, sum(1 << (8 + number) for number in range(30))]
