"""MODSEQ of messages: changes, STORE on condition, expunges since a MODSEQ, SEARCH MODSEQ (RFC 7162)."""

import asyncio
from array import array
from datetime import timedelta

from mailkit.ids import new_id
from mailstore.upkeep.maintain import TOMBSTONES
from mailstore_api.wire import (
    FLAGGED,
    SEEN,
    ChangesQuestion,
    ConditionallyStored,
    ConditionalStore,
    ModseqQuestion,
    SearchQuestion,
)

from .conftest import masks, message, uids


def modseqs(packed: bytes) -> list[int]:
    return list(array("Q", packed))


async def of(store, mailbox_id, since=0, ranges=None, *, vanished=False, folder_id=1):
    return await store.front.modseqs(ModseqQuestion(mailbox_id, folder_id, since, ranges, vanished))


async def unchanged(store, mailbox_id, ranges, since, *flags, mode="add", **more) -> ConditionallyStored:
    given = {"operation_id": new_id(), "folder_id": 1, **more}
    question = ConditionalStore(
        mailbox_id=mailbox_id, ranges=ranges, mode=mode, flags=list(flags), unchanged_since=since, **given
    )
    return await store.front.store_unchanged(question)


async def test_a_change_has_the_modseq_of_each_message(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message())
    await store.deliver(mailbox_id, message())
    first = await store.store(mailbox_id, [(2, 2)], "add", "\\Seen")
    second = await store.store(mailbox_id, [(1, 1)], "add", "\\Seen")
    assert first.highest_modseq == second.highest_modseq - 1
    news = await store.front.changes(ChangesQuestion(mailbox_id, 1, first.highest_modseq - 2))
    assert (uids(news.uids), modseqs(news.modseqs)) == (
        [1, 2, 3],
        [second.highest_modseq, first.highest_modseq, first.highest_modseq - 1],
    )
    found = await of(store, mailbox_id)
    assert (found.uids, found.modseqs, found.highest_modseq) == (news.uids, news.modseqs, second.highest_modseq)
    assert uids((await of(store, mailbox_id, first.highest_modseq)).uids) == [1]
    assert uids((await of(store, mailbox_id, 0, [(2, 2), (3, 9)])).uids) == [2, 3]
    assert uids((await of(store, mailbox_id, first.highest_modseq - 1, [(2, 2), (3, 9)])).uids) == [2]
    assert uids((await of(store, mailbox_id, second.highest_modseq)).uids) == []
    assert (await of(store, mailbox_id, folder_id=99)).status == "gone"


async def test_expunges_since_a_modseq_while_their_tombstones_last(store, mailbox_id):
    await store.deliver(mailbox_id, *[message()] * 4)
    start = (await of(store, mailbox_id)).highest_modseq
    await store.store(mailbox_id, [(1, 2)], "add", "\\Deleted")
    await store.expunge(mailbox_id, [(1, 1)])
    middle = (await of(store, mailbox_id)).highest_modseq
    await store.copy(mailbox_id, [(2, 3)], "Sent", move=True)
    found = await of(store, mailbox_id, start, [(4, 4)], vanished=True)
    assert (uids(found.uids), uids(found.vanished), found.complete) == ([], [1, 2, 3], True)
    assert uids((await of(store, mailbox_id, middle, vanished=True)).vanished) == [2, 3]
    assert (await of(store, mailbox_id, start)).vanished == b""
    store.clock.current += TOMBSTONES + timedelta(seconds=1)
    await store.parts.maintenance.round()
    found = await of(store, mailbox_id, start, vanished=True)
    assert (found.status, uids(found.vanished), found.complete) == ("ok", [], False)
    assert (await of(store, mailbox_id, found.highest_modseq, vanished=True)).complete


async def test_a_store_on_condition_changes_what_did_not_change(store, mailbox_id):
    await store.deliver(mailbox_id, *[message()] * 4)
    since = (await of(store, mailbox_id)).highest_modseq
    other = await store.store(mailbox_id, [(2, 2)], "add", "\\Flagged")
    operation_id = new_id()
    answer = await unchanged(store, mailbox_id, [(1, 3), (9, 9)], since, "\\Seen", operation_id=operation_id)
    assert (uids(answer.uids), masks(answer.flags), uids(answer.modified)) == ([1, 3], [SEEN, SEEN], [2])
    assert modseqs(answer.modseqs) == [other.highest_modseq + 1] * 2 == [answer.highest_modseq] * 2
    assert masks((await store.open(mailbox_id)).flags) == [SEEN, FLAGGED, SEEN, 0]
    assert (await store.folders(mailbox_id))["INBOX"].unseen == 2
    again = await unchanged(store, mailbox_id, [(1, 3), (9, 9)], since, "\\Seen", operation_id=operation_id)
    assert again == answer
    # what has the flags already keeps its MODSEQ, and one that is 0 meets no message
    same = await unchanged(store, mailbox_id, [(1, 4)], answer.highest_modseq, "\\Seen")
    assert modseqs(same.modseqs) == [
        answer.highest_modseq,
        same.highest_modseq,
        answer.highest_modseq,
        same.highest_modseq,
    ]
    assert uids((await unchanged(store, mailbox_id, [(1, 4)], 0, "\\Draft")).modified) == [1, 2, 3, 4]
    assert (await unchanged(store, mailbox_id, [(1, 4)], 9, "\\Draft", folder_id=99)).status == "gone"


async def test_of_two_stores_on_the_same_condition_one_succeeds(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    since = (await of(store, mailbox_id)).highest_modseq
    answers = await asyncio.gather(*(unchanged(store, mailbox_id, [(1, 1)], since, f"taken{n}") for n in range(8)))
    assert sorted(len(uids(answer.uids)) for answer in answers) == [0] * 7 + [1]
    assert sorted(len(uids(answer.modified)) for answer in answers) == [0] + [1] * 7


async def test_search_for_a_modseq(store, mailbox_id):
    await store.deliver(mailbox_id, message("one"), message("two"), message("three"))
    stored = await store.store(mailbox_id, [(2, 2)], "add", "\\Seen")

    async def search(*program):
        found = await store.front.search(SearchQuestion(mailbox_id, 1, list(program)))
        return uids(found.uids), found.modseq

    least = stored.highest_modseq
    assert await search("MODSEQ", least) == ([2], least)
    assert await search("MODSEQ", 0) == ([1, 2, 3], least)
    assert await search("AND", ["MODSEQ", 1], ["NOT", ["FLAG", "\\Seen"]]) == ([1, 3], least - 1)
    assert await search("AND", ["MODSEQ", 1], ["BODY", "Hello"], ["UID", [[3, 3]]]) == ([3], least - 1)
    assert await search("MODSEQ", least + 1) == ([], 0)
    assert await search("ALL") == ([1, 2, 3], 0)
