"""Flags, copies, moves, expunges, appends; what other sessions are told of them; repeats; the limit."""

import asyncio
import random

import pytest

from mailkit.errors import BadRequest, TooLarge
from mailkit.ids import new_id
from mailstore_api.wire import DELETED, FLAGGED, MOST_KEYWORDS, SEEN, ChangesQuestion, FollowedFolder, OpenFolder

from .conftest import PREFIX, ROOM, masks, message, uids


async def changes(store, mailbox_id, since, folder_id=1, **more):
    return await store.front.changes(ChangesQuestion(mailbox_id, folder_id, since, **more))


async def test_store_replaces_adds_and_removes(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message(), message())
    answer = await store.store(mailbox_id, [(1, 2)], "add", "\\Seen", "Work")
    assert (uids(answer.uids), masks(answer.flags), answer.keywords) == ([1, 2], [SEEN | 256] * 2, ["Work"])
    answer = await store.store(mailbox_id, [(2, 3)], "replace", "\\FLAGGED", "work", "Home")
    assert masks(answer.flags) == [FLAGGED | 256 | 512] * 2 and answer.keywords == ["Work", "Home"]
    answer = await store.store(mailbox_id, [(1, 3)], "remove", "WORK", "unknown", "\\Flagged")
    assert masks(answer.flags) == [SEEN, 512, 512] and answer.keywords == ["Work", "Home"]


async def test_modseqs_of_many_folders_are_compared(store, mailbox_id):
    """For sessions whose announcement may have been lost; an item without a good proof is answered False."""
    other = new_id()
    folder = await store.open(mailbox_id)
    await store.folders(other)
    known, later = folder.highest_modseq, folder.highest_modseq + 1
    await store.deliver(other, message())
    items = [
        FollowedFolder(mailbox_id, 1, known),
        FollowedFolder(other, 1, known),
        FollowedFolder(mailbox_id, 99, known),
        FollowedFolder(other, 1, known, b"f" * 44),
        FollowedFolder(mailbox_id, 1, later),
        FollowedFolder(other, 1, later),
    ]
    assert await store.front.folders_changed(items) == [False, True, True, False, True, False]


async def test_recent_cannot_be_stored(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    answer = await store.store(mailbox_id, [(1, 1)], "add", "\\Recent", "\\Other", "\\Deleted")
    assert masks(answer.flags) == [DELETED] and answer.keywords == []


async def test_a_store_that_changes_nothing_is_no_news(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message())
    first = await store.store(mailbox_id, [(1, 1)], "add", "\\Seen")
    again = await store.store(mailbox_id, [(1, 1)], "add", "\\Seen")
    both = await store.store(mailbox_id, [(1, 2)], "add", "\\Seen")
    assert first.highest_modseq == again.highest_modseq == both.highest_modseq - 1
    assert uids((await changes(store, mailbox_id, again.highest_modseq)).uids) == [2]


async def test_keywords_come_to_an_end(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    names = [f"k{n}" for n in range(MOST_KEYWORDS)]
    answer = await store.store(mailbox_id, [(1, 1)], "add", *names)
    assert masks(answer.flags) == [((1 << MOST_KEYWORDS) - 1) << 8]
    assert (await store.store(mailbox_id, [(1, 1)], "add", "one more")).status == "limit"
    assert (await store.append(mailbox_id, message(), flags=["one more"])).status == "limit"
    assert masks((await store.store(mailbox_id, [(1, 1)], "remove", *names)).flags) == [0]


async def test_keywords_met_at_the_same_moment_get_bits_of_their_own(store, mailbox_id):
    await store.deliver(mailbox_id, *[message()] * 10)
    await asyncio.gather(*(store.store(mailbox_id, [(n + 1, n + 1)], "add", f"k{n}") for n in range(10)))
    inbox = await store.open(mailbox_id)
    names = [inbox.keywords[mask.bit_length() - 9] for mask in masks(inbox.flags)]
    assert names == [f"k{n}" for n in range(10)]


async def test_other_sessions_are_told(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message(), message())
    since = (await store.open(mailbox_id)).highest_modseq
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted", "x")
    await store.store(mailbox_id, [(3, 3)], "add", "\\Flagged")
    await store.expunge(mailbox_id)
    await store.deliver(mailbox_id, message())
    news = await changes(store, mailbox_id, since, take_recent=True)
    assert (uids(news.uids), masks(news.flags), uids(news.vanished)) == ([3, 4], [FLAGGED, 0], [1])
    assert (news.keywords, news.uidnext, news.recent_from) == (["x"], 5, 1)
    quiet = await changes(store, mailbox_id, news.highest_modseq, take_recent=True)
    assert (quiet.uids, quiet.vanished, quiet.highest_modseq) == (b"", b"", news.highest_modseq)
    assert (await changes(store, mailbox_id, since, folder_id=99)).status == "gone"


async def test_expunge_removes_what_is_deleted_and_named(store, mailbox_id):
    await store.deliver(mailbox_id, *[message()] * 4)
    await store.store(mailbox_id, [(1, 3)], "add", "\\Deleted")
    assert uids((await store.expunge(mailbox_id, [(2, 4)])).uids) == [2, 3]
    operation_id = new_id()
    for _ in range(2):
        answer = await store.expunge(mailbox_id, operation_id=operation_id)
        assert uids(answer.uids) == [1]
    assert (await store.expunge(mailbox_id)).uids == b""
    assert uids((await store.open(mailbox_id)).uids) == [4]
    assert await store.usage(mailbox_id) == len(PREFIX + message())
    assert (await store.expunge(mailbox_id, folder_id=77)).status == "gone"


async def test_a_repeated_expunge_is_answered_though_its_folder_is_gone(store, mailbox_id):
    """An operation looks for its answer before it locks a folder, like all that lock the mailbox."""
    await store.append(mailbox_id, message(), "Trash", ["\\Deleted"])
    folder_id, operation_id = (await store.folders(mailbox_id))["Trash"].folder_id, new_id()
    first = await store.expunge(mailbox_id, folder_id=folder_id, operation_id=operation_id)
    assert uids(first.uids) == [1]
    assert await store.change("delete", mailbox_id, "Trash") == "ok"
    assert await store.expunge(mailbox_id, folder_id=folder_id, operation_id=operation_id) == first
    assert (await store.expunge(mailbox_id, folder_id=folder_id)).status == "gone"


async def test_bodies_without_references_become_candidates(store, mailbox_id):
    store.parts.steps.expunger._kept = None  # otherwise they are still referred to (test_mailstore_undelete.py)
    await store.deliver(mailbox_id, message("kept"), message("gone"))
    await store.pool.execute("delete from bodies.candidate")
    await store.store(mailbox_id, [(2, 2)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    rows = await store.pool.fetch("select body_id from bodies.candidate")
    left = await store.pool.fetch("select body_id from mailstore.message")
    assert len(rows) == 1 and rows[0]["body_id"] not in [row["body_id"] for row in left]


async def test_copies_share_the_body_and_carry_flags_and_keywords(store, mailbox_id):
    await store.deliver(mailbox_id, message("one"), message("two"), message("three"))
    await store.store(mailbox_id, [(1, 1)], "add", "first")
    await store.store(mailbox_id, [(2, 2)], "add", "\\Seen", "second")
    sent = (await store.folders(mailbox_id))["Sent"]
    await store.append(mailbox_id, message("there"), "Sent", ["other"])
    answer = await store.copy(mailbox_id, [(2, 3)], "Sent")
    assert (uids(answer.uids), uids(answer.new_uids), answer.uidvalidity) == ([2, 3], [2, 3], sent.uidvalidity)
    there = await store.open(mailbox_id, "Sent")
    assert there.keywords == ["other", "second"] and masks(there.flags) == [256, SEEN | 512, 0]
    assert (await store.texts(mailbox_id, sent.folder_id))[2] == PREFIX + message("two")
    rows = await store.fetch(mailbox_id, ["ENVELOPE", "INTERNALDATE"], folder_id=sent.folder_id)
    assert rows[1][1:] == (await store.fetch(mailbox_id, ["ENVELOPE", "INTERNALDATE"]))[1][1:]
    assert await store.pool.fetchval("select count(*) from bodies.body") == 4
    await store.usage(mailbox_id)


async def test_copies_count_and_moves_do_not(store, mailbox_id):
    await store.deliver(mailbox_id, message(size=1000), message(size=1000))
    usage = await store.usage(mailbox_id)
    limit = {"quota_limit": usage + 500, "limit_version": 2}
    assert (await store.copy(mailbox_id, [(1, 1)], "Trash", **limit)).status == "overquota"
    moved = await store.copy(mailbox_id, [(1, 2)], "Trash", move=True, **limit)
    assert moved.status == "ok" and await store.usage(mailbox_id) == usage
    assert uids((await store.open(mailbox_id)).uids) == []
    assert uids((await store.open(mailbox_id, "Trash")).uids) == [1, 2]
    assert (await store.copy(mailbox_id, [(1, 1)], "Nowhere", **limit)).status == "trycreate"
    assert (await store.copy(mailbox_id, [(1, 9)], "Trash", **limit)).uids == b""
    assert (await store.copy(mailbox_id, [(1, 1)], "Trash", folder_id=50)).status == "gone"


async def test_copy_and_move_within_a_folder(store, mailbox_id):
    await store.deliver(mailbox_id, message("one"), message("two"))
    assert uids((await store.copy(mailbox_id, [(1, 1)], "INBOX")).new_uids) == [3]
    assert uids((await store.copy(mailbox_id, [(2, 2)], "INBOX", move=True)).new_uids) == [4]
    assert list(await store.texts(mailbox_id)) == [1, 3, 4]
    await store.usage(mailbox_id)


async def test_a_repeated_copy_copies_once(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    for move in (False, True):
        operation_id = new_id()
        answers = await asyncio.gather(
            *(store.copy(mailbox_id, [(1, 1)], "Sent", move=move, operation_id=operation_id) for _ in range(4))
        )
        assert len({(answer.uids, answer.new_uids) for answer in answers}) == 1
    assert uids((await store.open(mailbox_id, "Sent")).uids) == [1, 2]


async def test_moves_both_ways_at_once_lose_nothing(store, mailbox_id):
    await store.deliver(mailbox_id, *[message(str(n)) for n in range(10)])
    for n in range(10):
        await store.append(mailbox_id, message(f"s{n}"), "Sent")
    sent = (await store.folders(mailbox_id))["Sent"].folder_id
    work = [store.copy(mailbox_id, [(n, n)], "Sent", move=True) for n in range(1, 11)]
    work += [store.copy(mailbox_id, [(n, n)], "INBOX", move=True, folder_id=sent) for n in range(1, 11)]
    assert {answer.status for answer in await asyncio.gather(*work)} == {"ok"}
    here, there = await store.open(mailbox_id), await store.open(mailbox_id, "Sent")
    assert len(uids(here.uids)) == len(uids(there.uids)) == 10
    await store.usage(mailbox_id)


async def test_append_and_its_repeat(store, mailbox_id):
    operation_id = new_id()
    data = message("draft")
    date = 1_700_000_000.0
    answers = await asyncio.gather(
        *(
            store.append(mailbox_id, data, "Drafts", ["\\Draft", "k"], operation_id=operation_id, internal_date=date)
            for _ in range(5)
        )
    )
    assert {(answer.status, answer.uid) for answer in answers} == {("ok", 1)}
    drafts = await store.open(mailbox_id, "Drafts")
    assert masks(drafts.flags) == [16 | 256] and answers[0].uidvalidity == drafts.uidvalidity
    rows = await store.fetch(mailbox_id, ["INTERNALDATE", "RFC822.SIZE"], folder_id=drafts.folder_id)
    assert rows == [[1, int(date), len(data)]]
    assert await store.texts(mailbox_id, drafts.folder_id) == {1: data}


async def test_append_to_nowhere_over_quota_and_without_a_date(store, mailbox_id):
    assert (await store.append(mailbox_id, message(), "Nowhere")).status == "trycreate"
    assert (await store.append(mailbox_id, message(), quota_limit=10, limit_version=2)).status == "overquota"
    with pytest.raises(BadRequest):
        await store.append(mailbox_id, message(), internal_date=1e18)
    assert await store.pool.fetchval("select count(*) from bodies.body") == 0


async def test_append_takes_the_largest_message_and_no_larger_one(store, mailbox_id):
    data = message(size=store.settings.max_message_bytes)
    assert (await store.append(mailbox_id, data)).status == "ok"
    assert await store.texts(mailbox_id) == {1: data}
    with pytest.raises(TooLarge):
        await store.append(mailbox_id, data + b"x" * 1024 * 1024)


async def test_ranges_that_are_none(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    for ranges in ([(2, 1)], [(0, 1)], [(1, 5), (5, 6)], [(1, 2**32)]):
        with pytest.raises(BadRequest):
            await store.store(mailbox_id, ranges, "add", "\\Seen")
        with pytest.raises(BadRequest):
            await store.copy(mailbox_id, ranges, "Sent")
        with pytest.raises(BadRequest):
            await store.fetch(mailbox_id, ["RFC822.SIZE"], ranges=ranges)


async def test_twenty_appends_at_the_limit(store, mailbox_id):
    data = message(size=1000)
    answers = await asyncio.gather(
        *(store.append(mailbox_id, data, quota_limit=7500, limit_version=2) for _ in range(20))
    )
    statuses = [answer.status for answer in answers]
    assert (statuses.count("ok"), statuses.count("overquota")) == (7, 13)
    assert await store.usage(mailbox_id) == 7000
    assert sorted(answer.uid for answer in answers if answer.status == "ok") == list(range(1, 8))
    assert ROOM > 7500


async def test_counts_are_exact_whatever_happens(store, mailbox_id):
    """A random walk of everything that changes messages; `usage` compares the counts with the messages."""
    chance = random.Random(17)
    names = ["INBOX", "Sent", "Trash"]
    ids = {name: (await store.open(mailbox_id, name)).folder_id for name in names}
    for _ in range(25):
        folder_id = ids[chance.choice(names)]
        low = chance.randint(1, 30)
        ranges = [(low, low + chance.randint(0, 10))]
        flags = chance.sample(["\\Seen", "\\Deleted", "\\Flagged", "k"], chance.randint(1, 3))
        work = [
            store.deliver(mailbox_id, *[message(size=chance.randint(200, 900)) for _ in range(chance.randint(1, 4))]),
            store.append(mailbox_id, message(), chance.choice(names), flags),
            store.store(mailbox_id, ranges, chance.choice(["add", "remove", "replace"]), *flags, folder_id=folder_id),
            store.copy(mailbox_id, ranges, chance.choice(names), folder_id=folder_id, move=chance.random() < 0.5),
            store.expunge(mailbox_id, chance.choice([None, ranges]), folder_id=folder_id),
        ]
        chance.shuffle(work)
        await asyncio.gather(*work)
        await store.usage(mailbox_id)
    await store.change("rename", mailbox_id, "INBOX", "old")
    await store.usage(mailbox_id)


@pytest.mark.parametrize("keywords", [0, 24, 25, MOST_KEYWORDS])
async def test_all_bits_of_flags_and_the_largest_uid_are_told(store, mailbox_id, keywords):
    await store.deliver(mailbox_id, message(), message(), message())
    since = (await store.open(mailbox_id)).highest_modseq
    await store.pool.execute("update mailstore.message set uid = $1 where uid = 3", 2**32 - 2)
    await store.pool.execute("update mailstore.folder set uidnext = $1 where folder_id = 1", 2**32 - 1)
    every = [f"k{n}" for n in range(keywords)]
    await store.store(mailbox_id, [(2, 2**32 - 1)], "add", "\\Seen", *every)
    high = SEEN | ((1 << keywords) - 1) << 8
    opened, told = await store.open(mailbox_id), await changes(store, mailbox_id, since)
    assert (uids(opened.uids), masks(opened.flags)) == ([1, 2, 2**32 - 2], [0, high, high])
    assert (uids(told.uids), masks(told.flags)) == ([2, 2**32 - 2], [high, high])
    await store.store(mailbox_id, [(1, 2**32 - 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    assert uids((await changes(store, mailbox_id, since)).vanished) == [1, 2, 2**32 - 2]


async def open_known(store, mailbox_id, folder_id, modseq, name="INBOX"):
    question = OpenFolder(mailbox_id, name, True, known_folder_id=folder_id, known_modseq=modseq)
    return await store.front.open_folder(question)


async def test_who_knows_a_folder_is_answered_with_its_changes(store, mailbox_id):
    await store.deliver(mailbox_id, *[message()] * 4)
    before = await store.open(mailbox_id)
    assert (before.since, before.messages, before.unseen) == (0, 4, 4)
    same = await open_known(store, mailbox_id, 1, before.highest_modseq)
    assert (same.since, same.uids, same.vanished, same.messages) == (before.highest_modseq, b"", b"", 4)
    await store.store(mailbox_id, [(1, 1)], "add", "\\Seen", "Work")
    await store.store(mailbox_id, [(2, 2)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.deliver(mailbox_id, message())
    news = await open_known(store, mailbox_id, 1, before.highest_modseq)
    assert (uids(news.uids), masks(news.flags), uids(news.vanished)) == ([1, 5], [SEEN | 256, 0], [2])
    assert (news.since, news.messages, news.unseen) == (before.highest_modseq, 4, 3)
    assert (news.uidnext, news.keywords, news.recent_from) == (6, ["Work"], 1)
    assert news.uidvalidity == before.uidvalidity


async def test_what_is_known_no_longer_is_answered_with_the_whole_folder(store, mailbox_id):
    await store.deliver(mailbox_id, message(), message())
    modseq = (await store.open(mailbox_id)).highest_modseq
    sent = await store.open(mailbox_id, "Sent")
    for folder_id, since in ((1, modseq + 1), (99, modseq), (sent.folder_id, 1)):  # the future; never was; another name
        answer = await open_known(store, mailbox_id, folder_id, since)
        assert (answer.since, uids(answer.uids)) == (0, [1, 2])
    assert (await open_known(store, mailbox_id, 1, modseq, "None")).status == "nonexistent"
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    await store.pool.execute("update mailstore.folder set forgotten_modseq = highest_modseq where folder_id = 1")
    answer = await open_known(store, mailbox_id, 1, modseq)
    assert (answer.since, uids(answer.uids)) == (0, [2])


async def test_who_knows_a_folder_claims_its_recent_messages(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    known = (await store.open(mailbox_id, read_only=False)).highest_modseq
    await store.deliver(mailbox_id, message())
    question = OpenFolder(mailbox_id, "INBOX", False, known_folder_id=1, known_modseq=known)
    assert (await store.front.open_folder(question)).recent_from == 2
    assert (await store.front.open_folder(question)).recent_from == 3
