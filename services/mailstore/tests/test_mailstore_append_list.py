"""Several messages in one APPEND, and the message that one replaces: all or none (RFC 3502, RFC 8508)."""

import asyncio
from array import array

import pytest

from mailkit.errors import BadRequest
from mailkit.ids import new_id
from mailstore_api.wire import AppendedMessage, AppendList, ChangesQuestion

from .conftest import ROOM, masks, message, uids

MESSAGES = [message("one"), message("two") + b"no line end", message("three")]


async def test_messages_get_uids_in_order_and_one_modseq(store, mailbox_id):
    await store.append(mailbox_id, message())
    answer = await store.append_all(mailbox_id, MESSAGES, flags=["\\Seen", "k"])
    assert (answer.status, answer.uid) == ("ok", 2)
    assert await store.texts(mailbox_id) == {1: message(), 2: MESSAGES[0], 3: MESSAGES[1], 4: MESSAGES[2]}
    folder = await store.open(mailbox_id)
    assert masks(folder.flags)[1:] == [8 | 256] * 3
    await store.usage(mailbox_id)


async def test_a_repeat_adds_nothing(store, mailbox_id):
    operation_id = new_id()
    answers = await asyncio.gather(
        *(store.append_all(mailbox_id, MESSAGES, operation_id=operation_id) for _ in range(4))
    )
    assert {(answer.status, answer.uid) for answer in answers} == {("ok", 1)}
    assert uids((await store.open(mailbox_id)).uids) == [1, 2, 3]


async def test_none_is_added_if_one_is_refused(store, mailbox_id):
    size = sum(map(len, MESSAGES))
    assert (await store.append_all(mailbox_id, MESSAGES, quota_limit=size - 1, limit_version=2)).status == "overquota"
    assert (await store.append_all(mailbox_id, MESSAGES, "Nowhere")).status == "trycreate"
    keywords = [[f"k{n}{at}" for at in range(40)] for n in range(2)]  # 48 fit
    items = [AppendedMessage(len(each), flags) for each, flags in zip(MESSAGES[:2], keywords, strict=True)]
    head = AppendList(mailbox_id, "INBOX", items, ROOM, 3, new_id())
    assert (await store.front.append_list(head, b"".join(MESSAGES[:2]))).status == "limit"
    store.disk.full = True
    assert (await store.append_all(mailbox_id, MESSAGES)).status == "no_space"
    assert await store.pool.fetchval("select count(*) from bodies.body") == 0
    assert (await store.open(mailbox_id)).keywords == []


@pytest.mark.parametrize("sizes", [[], [1], [2, 2], [4, -1], [1, 1]])
async def test_sizes_are_those_of_the_octets(store, mailbox_id, sizes):
    head = AppendList(mailbox_id, "INBOX", [AppendedMessage(size) for size in sizes], ROOM, 1, new_id())
    with pytest.raises(BadRequest):
        await store.front.append_list(head, b"abc")


async def test_a_message_is_replaced(store, mailbox_id):
    await store.append_all(mailbox_id, MESSAGES)
    known = await store.open(mailbox_id)
    new = message("new")
    answer = await store.append_all(mailbox_id, [new], replaces=(known.folder_id, 2))
    assert (answer.status, answer.uid, answer.uidvalidity) == ("ok", 4, known.uidvalidity)
    assert await store.texts(mailbox_id) == {1: MESSAGES[0], 3: MESSAGES[2], 4: new}
    changes = await store.front.changes(ChangesQuestion(mailbox_id, known.folder_id, known.highest_modseq, False))
    assert (uids(changes.uids), uids(changes.vanished)) == ([4], [2])
    assert await store.usage(mailbox_id) == len(new) + len(MESSAGES[0]) + len(MESSAGES[2])


async def test_a_message_is_replaced_by_one_in_another_folder_and_no_other_is(store, mailbox_id):
    await store.append_all(mailbox_id, MESSAGES)
    inbox = (await store.open(mailbox_id)).folder_id
    sent = (await store.open(mailbox_id, "Sent")).folder_id
    assert (await store.append_all(mailbox_id, [message()], "Sent", replaces=(inbox, 1))).status == "ok"
    assert list(await store.texts(mailbox_id)) == [2, 3]
    assert (await store.append_all(mailbox_id, [message()], "Sent", replaces=(inbox, 1))).status == "expunged"
    assert (await store.append_all(mailbox_id, [message()], "Sent", replaces=(99, 1))).status == "gone"
    assert (await store.append_all(mailbox_id, [message()], "Nowhere", replaces=(inbox, 2))).status == "trycreate"
    assert list(await store.texts(mailbox_id)) == [2, 3]
    assert list(await store.texts(mailbox_id, sent)) == [1]
    await store.usage(mailbox_id)


async def test_the_octets_of_a_replaced_message_do_not_count(store, mailbox_id):
    """RFC 8508 3.4: what counts is the quota after both."""
    old, new = message(size=1000), message(size=1200)
    inbox = (await store.open(mailbox_id)).folder_id
    await store.append(mailbox_id, old, quota_limit=1200, limit_version=2)
    assert (await store.append(mailbox_id, new)).status == "overquota"
    assert (await store.append_all(mailbox_id, [new + b"x"], replaces=(inbox, 1))).status == "overquota"
    assert list(await store.texts(mailbox_id)) == [1]
    assert (await store.append_all(mailbox_id, [new], replaces=(inbox, 1))).status == "ok"
    assert await store.usage(mailbox_id) == 1200


async def test_of_two_replacements_of_one_message_one_is_made(store, mailbox_id):
    await store.append(mailbox_id, message("old"))
    inbox = (await store.open(mailbox_id)).folder_id
    answers = await asyncio.gather(
        *(store.append_all(mailbox_id, [message(f"new {n}")], replaces=(inbox, 1)) for n in range(4))
    )
    assert sorted(answer.status for answer in answers) == ["expunged"] * 3 + ["ok"]
    assert list(await store.texts(mailbox_id)) == [2]
    assert array("I", (await store.open(mailbox_id)).uids).tolist() == [2]
