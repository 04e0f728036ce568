"""Rows of releases before 0007: found and sorted while upkeep fills them in, and filled in as new ones are (decision 0059)."""

import unicodedata

import pytest

from mailkit.ids import new_id
from mailkit.postgres.migrate import upgrade
from mailstore.mime.search import fold
from mailstore.storage.backfill import queries
from mailstore.upkeep import backfill, maintain
from mailstore_api.wire import SearchQuestion

from .conftest import message, uids

RAW = (
    "From: Jürgen <j@b.test>\r\nTo: joe (the plumber) <joe (dot) @ (x) example.test>\r\nCc: team: a@x.test;\r\n"
    "Subject: one\r\nSubject: Re: [list] Grüße\r\nMessage-ID: <m@x>\r\nIn-Reply-To: <r@x>\r\n"
    "References: <q@x>\r\n <r@x>\r\nDate: Sun, 1 Mar 2026 10:00:00 -0500\r\n\r\nx\r\n"
).encode()
NULLS = ", ".join(
    f"{name} = null"
    for name in [
        "message_id",
        "references_",
        "base_subject",
        "derived",
        "from_mailbox",
        "to_mailbox",
        "cc_mailbox",
        "from_display",
        "to_display",
    ]
)


async def make_old(store, where="true"):
    """Give rows what a release before 0007 wrote."""
    await store.pool.execute(f"update mailstore.rendered set {NULLS} where {where}")
    await store.pool.execute(f"update mailstore.message set sent_at = null, saved_at = null where {where}")
    for name in ("subject", "from_", "to_", "cc"):
        for row in await store.pool.fetch(f"select distinct {name} as text from mailstore.rendered where {where}"):
            before = unicodedata.normalize("NFC", row["text"]).casefold()
            await store.pool.execute(
                f"update mailstore.rendered set {name} = $1 where {name} = $2 and {where}", before, row["text"]
            )


async def rows(store):
    rendered = await store.pool.fetch("select * from mailstore.rendered order by mailbox_id, folder_id, uid")
    sent = await store.pool.fetch("select uid, sent_at from mailstore.message order by mailbox_id, folder_id, uid")
    return rendered, sent


@pytest.fixture
async def old(store, mailbox_id):
    """Two mailboxes with rows of before; returns what filled rows are."""
    for each in (mailbox_id, new_id()):
        await store.deliver(each, RAW, message("second"), RAW)
    right = await rows(store)
    await make_old(store)
    assert await rows(store) != right
    return right


async def test_upkeep_fills_them_in_slices_as_filing_does(store, old, monkeypatch):
    monkeypatch.setattr(backfill, "SLICE", 2)
    monkeypatch.setattr(maintain, "MOST_SLICES", 2)
    unfilled = "select count(*) from mailstore.rendered where message_id is null"
    for left in (2, 0, 0):
        await store.parts.maintenance.round()
        assert await store.pool.fetchval(unfilled) == left
    assert await rows(store) == old
    assert old[0][0]["references_"] == "q@x\nr@x" and old[0][0]["base_subject"] == "GRU\u0308ßE"
    assert str(old[1][0]["sent_at"]) == "2026-03-01 15:00:00+00:00"


async def test_a_row_that_old_code_inserts_behind_the_place_is_filled_too(store, old):
    """A rollout runs both releases."""
    await store.parts.maintenance.round()
    await make_old(store, "uid = 2")
    await store.parts.maintenance.round()
    assert await rows(store) == old


async def test_a_row_whose_body_is_gone_is_filled_from_its_envelope(store, old):
    await store.pool.execute(
        "delete from bodies.chunk where body_id in (select body_id from mailstore.message where uid = 1)"
    )
    await store.parts.maintenance.round()
    filled, sent = await rows(store)
    assert filled[0]["references_"] == "r@x" and filled[0]["subject"] == fold("Re: [list] Grüße")
    assert filled[1:3] == old[0][1:3] and sent == old[1]


async def test_search_finds_what_is_not_filled_in_yet(store, mailbox_id, old):
    async def found(*key):
        return uids((await store.front.search(SearchQuestion(mailbox_id, 1, list(key)))).uids)

    for _ in range(2):
        assert await found("SUBJECT", "grüße") == await found("FROM", "JÜRGEN") == [1, 3]
        assert await found("TO", "joe@EXAMPLE.test") == [1, 3]
        assert await found("SUBJECT", "") == [1, 2, 3]
        await store.parts.maintenance.round()


@pytest.mark.parametrize(("octets", "count"), [(1, 1), (len(RAW) * 3, 2), (10**6, 3)])
async def test_a_slice_is_bounded_by_octets(store, mailbox_id, octets, count):
    await store.deliver(mailbox_id, RAW, RAW, RAW)
    await make_old(store)
    assert len(await store.pool.fetch(queries.unfilled, 500, octets)) == count


async def test_the_migration_ends_what_an_interruption_left(store, old):
    """Migration 0007 adds the columns, then the index outside a transaction: an interruption may leave half of it."""
    await store.pool.execute("update mailstore.schema_version set version_num = '0006'")
    await store.pool.execute("update mailstore.schema_min_code set version = 6")
    await store.pool.execute(
        "update pg_index set indisvalid = false where indexrelid = 'mailstore.rendered_unfilled'::regclass"
    )
    assert await upgrade(store.dsn, "mailstore", "mailstore")
    valid = "select indisvalid and indisready from pg_index where indexrelid = 'mailstore.rendered_unfilled'::regclass"
    assert await store.pool.fetchval(valid)


async def test_the_save_date_is_that_of_each_folder(store, mailbox_id):
    """RFC 8514 3: filing, APPEND, COPY and MOVE set it; the rest of a message does not."""

    async def saved(folder_id):
        found = await store.pool.fetch("select saved_at from mailstore.message where folder_id = $1", folder_id)
        return [(row["saved_at"] - start).total_seconds() for row in found]

    start = store.clock.now()
    await store.deliver(mailbox_id, message(), received_at=store.clock.timestamp() - 1000)
    store.pass_time(10)
    await store.append(mailbox_id, message(), internal_date=1.0)
    assert await saved(1) == [0, 10]
    trash = (await store.folders(mailbox_id))["Trash"].folder_id
    store.pass_time(10)
    await store.copy(mailbox_id, [(1, 1)], "Trash")
    store.pass_time(10)
    await store.copy(mailbox_id, [(1, 1)], "Trash", move=True)
    assert await saved(1) == [10] and await saved(trash) == [20, 30]
