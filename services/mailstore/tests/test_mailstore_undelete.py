"""Expunged messages that can be undeleted: what comes back and where to, what is kept and for how long."""

import asyncio
from uuid import UUID

import pytest

from mailkit.errors import BadRequest, Conflict, NoSpace, NotFound
from mailkit.ids import new_id
from mailstore_api.wire import ANSWERED, CloseMaildrop, OpenMaildrop, ReferenceList

from .conftest import ALL, PREFIX, masks, message, uids

DAY = 86400


async def expunge(store, mailbox_id, ranges=ALL, folder_id=1):
    await store.store(mailbox_id, list(ranges), "add", "\\Deleted", folder_id=folder_id)
    await store.expunge(mailbox_id, folder_id=folder_id)


async def deleted(store, mailbox_id, **filters):
    return [row async for page in store.admin.deleted(str(mailbox_id), **filters) for row in page]


async def undelete(store, mailbox_id, **wanted):
    """Restored, lost."""
    done = [batch async for batch in store.admin.undelete(str(mailbox_id), **wanted)]
    return sum(each["restored"] for each in done), sum(each["lost"] for each in done)


async def counted(store, mailbox_id):
    """What the mailbox's row says of them; it has to be what the rows say."""
    row = await store.pool.fetchrow(
        "select recoverable_messages as m, recoverable_octets as o, (select count(*) from mailstore.recoverable r where "
        "r.mailbox_id = b.id) as rm, (select coalesce(sum(size), 0) from mailstore.recoverable r where r.mailbox_id = b.id) "
        "as ro from mailstore.mailbox b where id = $1",
        mailbox_id,
    )
    assert (row["m"], row["o"]) == (row["rm"], row["ro"])
    return row["m"]


async def test_what_was_expunged_comes_back_with_a_new_uid_and_all_that_it_had(store, mailbox_id):
    texts = [message("one"), message("two", size=2000)]
    await store.deliver(mailbox_id, *texts)
    await store.store(mailbox_id, [(2, 2)], "add", "\\Seen", "\\Flagged", "work")
    columns = ["INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE"]
    before, flags = (await store.fetch(mailbox_id, columns))[1], masks((await store.open(mailbox_id)).flags)[1]
    usage = await store.usage(mailbox_id)
    await expunge(store, mailbox_id)
    assert await store.usage(mailbox_id) == 0
    rows = await deleted(store, mailbox_id)
    assert [(row["number"], row["folder"], row["subject"], row["sender"]) for row in rows] == [
        (2, "INBOX", "two", "Anna <a@far.test>"),
        (1, "INBOX", "one", "Anna <a@far.test>"),
    ]
    assert await undelete(store, mailbox_id, numbers=[2]) == (1, 0)
    ((uid, *rest),) = await store.fetch(mailbox_id, columns)
    assert (uid, rest, masks((await store.open(mailbox_id)).flags)) == (3, before[1:], [flags])
    assert await undelete(store, mailbox_id, folder="INBOX") == (1, 0)
    assert await store.texts(mailbox_id) == {3: PREFIX + texts[1], 4: PREFIX + texts[0]}
    assert await store.usage(mailbox_id) == usage
    assert await counted(store, mailbox_id) == 0
    assert await undelete(store, mailbox_id) == (0, 0)
    assert await undelete(store, mailbox_id, numbers=[1, 2]) == (0, 0)


async def test_pop3_and_the_deletion_of_a_folder_can_be_undeleted_too(store, mailbox_id):
    await store.deliver(mailbox_id, message("pop"))
    session = new_id()
    assert (await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))).status == "ok"
    await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, b"\1\0\0\0"))
    for name in ("Gone", "Again"):
        await store.change("create", mailbox_id, name)
        await store.append(mailbox_id, message(name), name, ["\\Answered", "word"])
        assert await store.change("delete", mailbox_id, name) == "ok"
    await store.change("create", mailbox_id, "Again")
    assert await store.usage(mailbox_id) == 0
    assert {row["folder"] for row in await deleted(store, mailbox_id)} == {"INBOX", "Gone", "Again"}
    assert await undelete(store, mailbox_id) == (3, 0)
    folders = await store.folders(mailbox_id)
    assert (folders["INBOX"].messages, folders["Again"].messages, "Gone" in folders) == (2, 1, False)
    # the names of the keywords went with the folder
    assert masks((await store.open(mailbox_id, "Again")).flags) == [ANSWERED]
    await store.usage(mailbox_id)


async def test_they_come_to_a_chosen_folder_with_their_keywords(store, mailbox_id):
    await store.append(mailbox_id, message("x"), "Archive", ["other"])
    await store.deliver(mailbox_id, message("y"))
    await store.store(mailbox_id, ALL, "add", "mine")
    await expunge(store, mailbox_id)
    with pytest.raises(NotFound, match="no such folder"):
        await undelete(store, mailbox_id, to="Nowhere")
    assert await undelete(store, mailbox_id, to="Archive") == (1, 0)
    archive = await store.open(mailbox_id, "Archive")
    assert (archive.keywords, masks(archive.flags)) == (["other", "mine"], [1 << 8, 1 << 9])
    await store.usage(mailbox_id)


async def test_a_move_leaves_nothing_to_undelete(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    await store.copy(mailbox_id, ALL, "Trash", move=True)
    assert await deleted(store, mailbox_id) == []


async def test_only_those_of_a_time(store, mailbox_id):
    await store.deliver(mailbox_id, *[message(str(n)) for n in range(6)])
    for uid in range(1, 7):
        store.pass_time(3600)
        await expunge(store, mailbox_id, [(uid, uid)])
    assert [row["number"] for row in await deleted(store, mailbox_id, newer=2 * 3600, limit=1)] == [6, 5, 4]
    assert [row["number"] for row in await deleted(store, mailbox_id, limit=2)] == [6, 5, 4, 3, 2, 1]
    assert await undelete(store, mailbox_id, newer=2 * 3600) == (3, 0)
    assert [row["number"] for row in await deleted(store, mailbox_id)] == [3, 2, 1]


async def test_batches_go_on_where_the_one_before_ended(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.writing.undelete.MOST", 4)
    monkeypatch.setattr("mailstore.writing.undelete.BATCH_BYTES", 1500)
    texts = [message(str(n), size=700) for n in range(9)]
    await store.deliver(mailbox_id, *texts)
    await expunge(store, mailbox_id)
    assert await undelete(store, mailbox_id, numbers=[9, 1, 3, 2]) == (4, 0)
    assert await undelete(store, mailbox_id) == (5, 0)
    assert sorted((await store.texts(mailbox_id)).values()) == sorted(PREFIX + text for text in texts)
    assert await counted(store, mailbox_id) == 0


async def test_two_calls_bring_each_message_back_once(store, mailbox_id):
    texts = [message(str(n)) for n in range(50)]
    await store.deliver(mailbox_id, *texts)
    await expunge(store, mailbox_id)
    done = await asyncio.gather(*(undelete(store, mailbox_id) for _ in range(4)))
    assert sum(restored for restored, _ in done) == 50
    assert sorted((await store.texts(mailbox_id)).values()) == sorted(PREFIX + text for text in texts)
    await store.usage(mailbox_id)


async def test_the_quota_holds_and_what_does_not_fit_stays(store, mailbox_id):
    await store.append(mailbox_id, message(size=1000), quota_limit=1500)
    await expunge(store, mailbox_id)
    await store.append(mailbox_id, message(size=1000), quota_limit=1500)
    with pytest.raises(Conflict, match="no room"):
        await undelete(store, mailbox_id)
    assert await counted(store, mailbox_id) == 1
    assert await store.usage(mailbox_id) == 1000
    store.disk.full = True
    with pytest.raises(NoSpace):
        await undelete(store, mailbox_id)


async def test_after_their_days_they_are_dropped_and_their_bodies_let_go(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.upkeep.forget.SLICE", 3)
    bodies = await store.put(*[message(str(n)) for n in range(8)])
    await store.file(*(store.filing(mailbox_id, body_id) for body_id in bodies))
    await expunge(store, mailbox_id, [(1, 7)])
    store.pass_time(7 * DAY - 10)
    await expunge(store, mailbox_id, [(8, 8)])
    await store.parts.maintenance.round()
    assert await counted(store, mailbox_id) == 8
    assert all(await store.queue.references(ReferenceList(bodies)))
    await store.pool.execute("delete from bodies.candidate")
    store.pass_time(11)
    await store.parts.maintenance.round()
    assert [row["subject"] for row in await deleted(store, mailbox_id)] == ["7"]
    assert await store.queue.references(ReferenceList(bodies)) == [False] * 7 + [True]
    rows = await store.pool.fetch("select body_id from bodies.candidate")
    assert sorted(row["body_id"] for row in rows) == sorted(bodies[:7])
    store.pass_time(7 * DAY)
    await store.parts.maintenance.round()
    assert await store.pool.fetchval("select recoverable_since is null from mailstore.mailbox")
    assert await counted(store, mailbox_id) == 0


async def test_one_more_quota_is_kept_and_the_oldest_go_first(store, mailbox_id):
    for n in range(6):
        await store.append(mailbox_id, message(str(n), size=1000), quota_limit=3500)
        await expunge(store, mailbox_id)
    assert await counted(store, mailbox_id) == 6
    await store.parts.maintenance.round()
    assert [row["subject"] for row in await deleted(store, mailbox_id)] == ["5", "4", "3"]
    await counted(store, mailbox_id)
    await store.parts.maintenance.round()
    assert await counted(store, mailbox_id) == 3


async def test_a_mailbox_without_a_known_quota_keeps_its_messages_for_their_days(store, mailbox_id):
    await store.append(mailbox_id, message(size=1000), quota_limit=3500)
    await store.pool.execute("update mailstore.mailbox set limit_version = 0, quota_limit = 0")
    await expunge(store, mailbox_id)
    await store.parts.maintenance.round()
    assert await counted(store, mailbox_id) == 1


async def test_upkeep_passes_over_a_locked_mailbox(store, mailbox_id):
    other = new_id()
    for each in (mailbox_id, other):
        await store.deliver(each, message())
        await expunge(store, each)
    store.pass_time(8 * DAY)
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from mailstore.mailbox where id = $1 for update", mailbox_id)
        await store.parts.maintenance.round()
        assert (await counted(store, mailbox_id), await counted(store, other)) == (1, 0)
    await store.parts.maintenance.round()
    assert await counted(store, mailbox_id) == 0


async def test_a_lost_body_is_counted_and_hinders_no_other(store, mailbox_id):
    (lost, kept) = await store.put(message("lost"), message("kept"))
    await store.file(store.filing(mailbox_id, lost), store.filing(mailbox_id, kept))
    await expunge(store, mailbox_id)
    for table, column in (("body", "id"), ("chunk", "body_id")):
        await store.pool.execute(f"delete from bodies.{table} where {column} = $1", lost)
    store.bodies._fresh._bodies.clear()
    assert [row["subject"] for row in await deleted(store, mailbox_id)] == ["kept", ""]
    assert await undelete(store, mailbox_id) == (1, 1)
    await store.usage(mailbox_id)


async def test_a_purged_mailbox_has_nothing_to_undelete(store, mailbox_id):
    bodies = await store.put(message())
    await store.file(store.filing(mailbox_id, bodies[0]))
    await expunge(store, mailbox_id)
    await store.admin.purge_mailbox(str(mailbox_id))
    assert await deleted(store, mailbox_id) == []
    assert await undelete(store, mailbox_id) == (0, 0)
    assert await store.queue.references(ReferenceList(bodies)) == [False]


async def test_without_days_nothing_is_kept(store, mailbox_id):
    store.parts.steps.expunger._kept = None
    bodies = await store.put(message())
    await store.file(store.filing(mailbox_id, bodies[0]))
    await store.pool.execute("delete from bodies.candidate")
    await expunge(store, mailbox_id)
    assert await deleted(store, mailbox_id) == []
    assert await store.pool.fetchval("select count(*) from bodies.candidate") == 1


async def test_sessions_hear_of_what_comes_back(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    await expunge(store, mailbox_id)
    known = await store.open(mailbox_id)
    await undelete(store, mailbox_id)
    after = await store.open(mailbox_id)
    assert uids(after.uids) == [2] and after.highest_modseq > known.highest_modseq
    events = [row async for page in store.admin.mailbox_trace(str(mailbox_id)) for row in page]
    assert [(row["event"], row["folder"], row["protocol"]) for row in events] == [
        ("undeleted", "INBOX", "operator"),
        ("deleted", "INBOX", "imap"),
    ]


async def test_malformed_requests_change_nothing(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    await expunge(store, mailbox_id)
    path = f"/v1/mailboxes/{mailbox_id}/undelete"
    for wrong in (
        {"numbers": []},
        {"numbers": [-1]},
        {"numbers": [2**63]},
        {"numbers": [1] * 501},
        {"numbers": [1], "folder": "INBOX"},
        {"newer": -1},
        {"to": "a\0b"},
        {"to": "x" * 500},
        {"what": 1},
    ):
        with pytest.raises((BadRequest, NotFound)):
            await store.admin.json("POST", path, wrong)
    assert await counted(store, mailbox_id) == 1
    assert await undelete(store, UUID(int=1)) == (0, 0)
