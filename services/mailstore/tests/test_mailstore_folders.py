"""The tree of folders: made lazily, created with parents, deleted, renamed (RFC 3501 6.3.3 to 6.3.9), opened."""

import asyncio

import pytest

from mailkit.errors import NotFound
from mailkit.ids import new_id
from mailstore_api.wire import SpecialFolder

from .conftest import PREFIX, masks, message, uids


async def test_a_mailbox_is_made_when_it_is_first_looked_at(store):
    first, second = new_id(), new_id()
    inbox = await store.open(first)
    assert (inbox.status, uids(inbox.uids), inbox.uidnext) == ("ok", [], 1)
    found = await store.folders(second)
    assert {name: folder.special_use for name, folder in found.items()} == {
        "INBOX": "",
        "Drafts": "\\Drafts",
        "Sent": "\\Sent",
        "Junk": "\\Junk",
        "Trash": "\\Trash",
        "Archive": "\\Archive",
    }
    assert all(folder.subscribed and folder.selectable for folder in found.values())
    assert len({folder.uidvalidity for folder in found.values()}) == 6
    assert (await store.open(first, "Nowhere")).status == "nonexistent"


async def test_create_makes_the_levels_above(store, mailbox_id):
    assert await store.change("create", mailbox_id, "Work/2026/March") == "ok"
    assert {"Work", "Work/2026", "Work/2026/March"} <= set(await store.folders(mailbox_id))
    assert await store.change("create", mailbox_id, "Work") == "alreadyexists"


async def test_a_special_use_belongs_to_one_folder(store, mailbox_id):
    async def create(name, use, operation_id=None):
        question = SpecialFolder(mailbox_id, name, use, operation_id or new_id())
        return (await store.front.create_special_folder(question)).status

    assert await create("Old", "\\Archive") == "useattr"
    assert await store.change("delete", mailbox_id, "Archive") == "ok"
    for use in ("\\All", "\\Flagged", "\\Noselect", "Archive", ""):
        assert await create("Old", use) == "useattr"
    assert await create("a//b", "\\Archive") == "cannot"
    assert await create("Sent", "\\Archive") == "alreadyexists"
    operation_id = new_id()
    assert [await create("Up/Old", "\\archive", operation_id) for _ in range(2)] == ["ok", "ok"]
    found = await store.folders(mailbox_id)
    assert (found["Up/Old"].special_use, found["Up"].special_use) == ("\\Archive", "")
    assert sorted(await asyncio.gather(*(create(name, "\\Archive") for name in "xyz"))) == ["useattr"] * 3
    await store.change("delete", mailbox_id, "Up/Old")
    assert sorted(await asyncio.gather(*(create(name, "\\Archive") for name in "xyz"))) == ["ok", "useattr", "useattr"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "a/../b",
        "a/.",
        "tab\t",
        " a",
        "a ",
        "x" * 401,
        "/".join("a" * 21),
        "inbox",
        "Inbox/a",
    ],
)
async def test_names_that_no_folder_has(store, mailbox_id, name):
    assert await store.change("create", mailbox_id, name) == "cannot"
    assert await store.change("rename", mailbox_id, "Sent", name) == "cannot"
    assert set(await store.folders(mailbox_id)) == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}


@pytest.mark.parametrize("name", ["50% off", "a*b", "*/%", "...", ".a", "~foo"])
async def test_names_that_look_odd(store, mailbox_id, name):
    assert await store.change("create", mailbox_id, name) == "ok"
    assert name in await store.folders(mailbox_id)
    assert (await store.open(mailbox_id, name)).status == "ok"


async def test_there_is_an_end_to_folders_and_subscriptions(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.writing.folder_tree.MOST_FOLDERS", 8)
    monkeypatch.setattr("mailstore.writing.folder_tree.MOST_SUBSCRIPTIONS", 7)
    assert await store.change("create", mailbox_id, "a/b/c") == "limit"
    assert await store.change("create", mailbox_id, "a/b") == "ok"
    assert await store.change("rename", mailbox_id, "INBOX", "old") == "limit"
    assert await store.change("subscribe", mailbox_id, "a") == "ok"
    assert await store.change("subscribe", mailbox_id, "a/b") == "limit"


async def test_delete_takes_the_messages_and_leaves_the_children(store, mailbox_id):
    await store.change("create", mailbox_id, "a/b")
    await store.append(mailbox_id, message("in a"), "a")
    await store.append(mailbox_id, message("in b"), "a/b")
    usage = await store.usage(mailbox_id)
    assert await store.change("delete", mailbox_id, "a") == "ok"
    assert await store.usage(mailbox_id) == usage - len(message("in a"))
    found = await store.folders(mailbox_id)
    assert not found["a"].selectable and found["a"].exists and found["a/b"].messages == 1
    assert await store.change("delete", mailbox_id, "a") == "haschildren"
    assert await store.change("delete", mailbox_id, "nothing") == "nonexistent"
    assert await store.change("delete", mailbox_id, "INBOX") == "cannot"
    assert await store.change("create", mailbox_id, "a") == "ok"
    assert (await store.folders(mailbox_id))["a"].selectable


async def test_a_name_that_comes_again_has_a_later_uidvalidity(store, mailbox_id):
    before = await store.folders(mailbox_id)
    await store.change("create", mailbox_id, "a")
    first = (await store.open(mailbox_id, "a")).uidvalidity
    await store.change("delete", mailbox_id, "a")
    store.pass_time(-5000)  # a clock that went back
    await store.change("create", mailbox_id, "a")
    assert (await store.open(mailbox_id, "a")).uidvalidity > first
    await store.change("delete", mailbox_id, "Drafts")
    await store.change("rename", mailbox_id, "Trash", "Drafts")
    after = await store.folders(mailbox_id)
    assert after["Drafts"].uidvalidity not in {before["Drafts"].uidvalidity, first}


async def test_rename_moves_the_children_too(store, mailbox_id):
    for name in ("old/a", "old/a/b", "older"):
        await store.change("create", mailbox_id, name)
    await store.append(mailbox_id, message(), "old/a/b")
    assert await store.change("rename", mailbox_id, "old", "deep/er/new") == "ok"
    found = await store.folders(mailbox_id)
    assert {"deep", "deep/er", "deep/er/new", "deep/er/new/a", "deep/er/new/a/b", "older"} <= set(found)
    assert not {"old", "old/a"} & set(found) and found["deep/er/new/a/b"].messages == 1


async def test_rename_refuses_what_would_collide_or_hang_in_itself(store, mailbox_id):
    for name in ("a/x", "b/x"):
        await store.change("create", mailbox_id, name)
    await store.change("delete", mailbox_id, "b")  # b is a level only
    assert await store.change("rename", mailbox_id, "a", "a/x/y") == "cannot"
    assert await store.change("rename", mailbox_id, "a", "b") == "alreadyexists"
    assert await store.change("rename", mailbox_id, "a", "INBOX") == "alreadyexists"
    assert await store.change("rename", mailbox_id, "nothing", "c") == "nonexistent"
    assert await store.change("rename", mailbox_id, "b", "c") == "ok"
    assert "c/x" in await store.folders(mailbox_id) and "b/x" not in await store.folders(mailbox_id)


async def test_rename_of_inbox_moves_its_messages_and_leaves_it(store, mailbox_id):
    await store.change("create", mailbox_id, "INBOX/child")
    await store.deliver(mailbox_id, message("one"), message("two"))
    await store.store(mailbox_id, [(2, 2)], "add", "\\Seen", "later")
    usage, before = await store.usage(mailbox_id), await store.open(mailbox_id)
    assert await store.change("rename", mailbox_id, "INBOX", "INBOX/old") == "ok"
    after, moved = await store.open(mailbox_id), await store.open(mailbox_id, "INBOX/old")
    assert (uids(after.uids), after.uidvalidity, after.uidnext) == ([], before.uidvalidity, 3)
    assert uids(moved.uids) == [1, 2] and masks(moved.flags) == [0, 8 | 256] and moved.keywords == ["later"]
    assert await store.texts(mailbox_id, moved.folder_id) == {1: PREFIX + message("one"), 2: PREFIX + message("two")}
    assert await store.usage(mailbox_id) == usage
    assert "INBOX/child" in await store.folders(mailbox_id)
    await store.deliver(mailbox_id, message("three"))
    assert uids((await store.open(mailbox_id)).uids) == [3]


async def test_subscriptions_outlive_folders(store, mailbox_id):
    await store.change("create", mailbox_id, "a")
    assert not (await store.folders(mailbox_id))["a"].subscribed
    await store.change("subscribe", mailbox_id, "a")
    await store.change("subscribe", mailbox_id, "not/yet")
    await store.change("delete", mailbox_id, "a")
    found = await store.folders(mailbox_id)
    assert found["a"].subscribed and not found["a"].exists and not found["not/yet"].exists
    await store.change("unsubscribe", mailbox_id, "a")
    assert "a" not in await store.folders(mailbox_id)


async def test_a_level_may_be_subscribed(store, mailbox_id):
    await store.change("create", mailbox_id, "a/b")
    await store.change("subscribe", mailbox_id, "a")
    await store.change("delete", mailbox_id, "a")
    found = (await store.folders(mailbox_id))["a"]
    assert found.subscribed and found.exists and not found.selectable


async def test_status_numbers(store, mailbox_id):
    await store.deliver(mailbox_id, message("one"), message("two"), message("three"))
    await store.store(mailbox_id, [(1, 2)], "add", "\\Seen")
    inbox = (await store.folders(mailbox_id))["INBOX"]
    size = await store.usage(mailbox_id)
    assert (inbox.messages, inbox.unseen, inbox.recent, inbox.size, inbox.uidnext) == (3, 1, 3, size, 4)


async def test_recent_messages_are_counted_as_they_come_and_go(store, mailbox_id):
    """The counter is what counting says (`usage`), whatever happens between a session's snapshot and its claim."""

    async def recent():
        await store.usage(mailbox_id)
        return (await store.folders(mailbox_id))["INBOX"].recent

    await store.deliver(mailbox_id, *(message(f"m{n}") for n in range(4)))
    await store.change("create", mailbox_id, "a")
    assert (await store.open(mailbox_id, read_only=False)).recent_from == 1 and await recent() == 0
    await store.deliver(mailbox_id, *(message(f"m{n}") for n in range(3)))
    await store.append(mailbox_id, message())
    assert await recent() == 4
    views = store.parts.steps.folders._views
    snapshot = await views.snapshot(mailbox_id, "INBOX")
    await store.copy(mailbox_id, [(1, 2)], "INBOX")
    await store.copy(mailbox_id, [(5, 5)], "a", move=True)
    await store.store(mailbox_id, [(1, 1), (9, 9)], "add", "\\Deleted")
    await store.expunge(mailbox_id)
    assert await recent() == 4
    assert await views.take_recent(mailbox_id, 1, snapshot.recent_from, snapshot.uidnext) and await recent() == 1
    assert not await views.take_recent(mailbox_id, 1, snapshot.recent_from, snapshot.uidnext)
    await store.pool.execute("update mailstore.folder set recent = null where folder_id = 1")
    await store.deliver(mailbox_id, message())
    assert (await store.folders(mailbox_id))["INBOX"].recent == 2, "a folder of before is counted"
    assert (await store.open(mailbox_id, read_only=False)).recent_from == 9 and await recent() == 0


async def test_recent_messages_belong_to_one_session(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    assert (await store.open(mailbox_id)).recent_from == 1  # EXAMINE takes nothing
    answers = await asyncio.gather(*(store.open(mailbox_id, read_only=False) for _ in range(8)))
    assert sorted(answer.recent_from for answer in answers) == [1] + [2] * 7
    assert (await store.folders(mailbox_id))["INBOX"].recent == 0


async def test_what_is_done_twice_is_answered_as_the_first_time(store, mailbox_id):
    operation_id = new_id()
    for _ in range(2):
        assert await store.change("create", mailbox_id, "a", operation_id=operation_id) == "ok"
    operation_id = new_id()
    for _ in range(2):
        assert await store.change("rename", mailbox_id, "a", "b", operation_id=operation_id) == "ok"
    operation_id = new_id()
    answers = await asyncio.gather(
        *(store.change("delete", mailbox_id, "b", operation_id=operation_id) for _ in range(5))
    )
    assert answers == ["ok"] * 5


async def test_a_purged_mailbox_has_nothing_and_gets_nothing(store, mailbox_id):
    await store.deliver(mailbox_id, message())
    await store.change("subscribe", mailbox_id, "x")
    assert await store.admin.purge_mailbox(str(mailbox_id)) == 1
    for call in (
        store.open(mailbox_id),
        store.folders(mailbox_id),
        store.append(mailbox_id, message()),
        store.change("create", mailbox_id, "a"),
        store.change("subscribe", mailbox_id, "a"),
    ):
        with pytest.raises(NotFound):
            await call
    (body_id,) = await store.put(message())
    assert await store.file(store.filing(mailbox_id, body_id)) == ["gone"]
    for table in (
        "message",
        "rendered",
        "folder",
        "subscription",
        "expunged",
        "operation",
        "maildrop_lease",
        "text_signature",
    ):
        assert await store.pool.fetchval(f"select count(*) from mailstore.{table}") == 0, table
