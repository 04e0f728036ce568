"""Retention by folder: messages in Trash and Junk are expunged after their days, in slices, as sessions see an EXPUNGE."""

import pytest

from mailkit.ids import new_id
from mailstore_api.wire import ChangesQuestion

from .conftest import message, uids

DAY = 86400


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"trash_days": 30, "junk_days": 7})


async def test_messages_go_after_the_days_since_they_came_there(store, mailbox_id, monkeypatch):
    monkeypatch.setattr("mailstore.upkeep.clear.SLICE", 2)
    for name, count in (("Trash", 5), ("Junk", 3), ("Archive", 1)):
        for n in range(count):
            await store.append(mailbox_id, message(f"{name} {n}"), name, internal_date=1.0)
    folders = await store.folders(mailbox_id)
    trash, before = folders["Trash"].folder_id, await store.open(mailbox_id, "Trash")
    store.pass_time(8 * DAY)
    await store.append(mailbox_id, message("later"), "Trash")
    await store.parts.maintenance.round()
    assert {name: f.messages for name, f in (await store.folders(mailbox_id)).items() if f.messages} == {
        "Trash": 6,
        "Archive": 1,
    }
    store.pass_time(22 * DAY + 1)
    await store.parts.maintenance.round()
    news = await store.front.changes(ChangesQuestion(mailbox_id, trash, before.highest_modseq))
    assert (news.status, uids(news.vanished)) == ("ok", [1, 2, 3, 4, 5])
    assert list(await store.texts(mailbox_id, trash)) == [6]
    assert await store.usage(mailbox_id) > 0
    events = [row async for page in store.admin.mailbox_trace(str(mailbox_id)) for row in page]
    assert ("deleted", "Trash", "retention") in [(row["event"], row["folder"], row["protocol"]) for row in events]


async def test_what_was_cleared_can_be_undeleted(store, mailbox_id):
    await store.append(mailbox_id, message("back"), "Junk")
    store.pass_time(8 * DAY)
    await store.parts.maintenance.round()
    assert [b["restored"] async for b in store.admin.undelete(str(mailbox_id))] == [1]
    await store.parts.maintenance.round()
    assert (await store.folders(mailbox_id))["Junk"].messages == 1


async def test_a_round_goes_on_where_the_one_before_ended(store, monkeypatch):
    monkeypatch.setattr("mailstore.upkeep.clear.PAGE", 2)
    monkeypatch.setattr("mailstore.upkeep.clear.PAGES", 2)
    mailboxes = sorted(new_id() for _ in range(5))  # Junk and Trash of two in a round
    for each in mailboxes:
        await store.append(each, message(), "Trash")
    store.pass_time(31 * DAY)
    left = []
    for _ in range(3):
        await store.parts.maintenance.round()
        left.append(await store.pool.fetchval("select count(*) from mailstore.message"))
    assert left == [3, 1, 0]


async def test_a_locked_mailbox_has_its_turn_later(store, mailbox_id):
    await store.append(mailbox_id, message(), "Trash")
    store.pass_time(31 * DAY)
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from mailstore.mailbox where id = $1 for update", mailbox_id)
        await store.parts.maintenance.round()
        assert (await store.folders(mailbox_id))["Trash"].messages == 1
    await store.parts.maintenance.round()
    assert (await store.folders(mailbox_id))["Trash"].messages == 0


async def test_without_days_nothing_is_cleared(store, mailbox_id):
    store.parts.maintenance._clearer._days = dict.fromkeys(store.parts.maintenance._clearer._days)
    await store.append(mailbox_id, message(), "Trash")
    store.pass_time(3000 * DAY)
    await store.parts.maintenance.round()
    assert (await store.folders(mailbox_id))["Trash"].messages == 1


async def test_only_an_index_of_such_folders_is_read(store, mailbox_id):
    await store.append(mailbox_id, message(), "Trash")
    async with store.pool.acquire() as connection, connection.transaction():
        from mailstore.storage.retention import queries

        plan = "\n".join(
            row[0]
            for row in await connection.fetch(
                "explain "
                + queries.cleared_folders.replace("$1", f"'{new_id()}'::uuid")
                .replace("$2", "0")
                .replace("$3", "10")
                .replace("$4", "'2026-01-01'")
                .replace("$5", "'2026-01-01'")
            )
        )
    assert "folder_cleared" in plan and "message_pkey" in plan and "Seq Scan" not in plan and "Sort" not in plan, plan
