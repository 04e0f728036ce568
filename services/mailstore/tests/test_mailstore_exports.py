"""Export for operators: folders, and messages in bounded batches."""

from mailkit.ids import new_id
from mailstore_api.wire import ImportedMessage, ImportFolder, ImportList

from .conftest import PREFIX, message


async def batches(store, box, folder_id=1):
    return [batch async for batch in store.admin.export_messages(box, folder_id)]


async def test_folders_and_messages(store):
    box = new_id()
    assert await store.admin.export_folders(box) == [] and await batches(store, box) == []
    await store.admin.import_folder(ImportFolder(box, "INBOX", 7, 50))
    item = ImportedMessage(3, b"k" * 16, 1e9, 5, ["\\Seen", "$Label"], "old-uidl")
    await store.admin.import_messages(ImportList(box, 1, 7, [item]), b"a\r\n")
    await store.deliver(box, message("new"))
    found = {each.name: each for each in await store.admin.export_folders(box)}
    assert (found["INBOX"].uidvalidity, found["INBOX"].messages, found["INBOX"].keywords) == (7, 2, ["$Label"])
    assert found["Sent"].subscribed
    ((first, second),) = await batches(store, box)
    assert (first.uid, first.flags, first.internal_date, first.uidl, first.octets) == (
        5,
        8 | 256,
        1e9,
        "old-uidl",
        b"a\r\n",
    )
    assert (second.uidl, second.octets) == ("", PREFIX + message("new"))
    assert await batches(store, box, 99) == []


async def test_batches_are_bounded_by_number_and_by_octets(store, monkeypatch):
    box = new_id()
    await store.append_all(box, [message(f"n{n}") for n in range(100)])
    await store.append_all(box, [message("last")])
    assert [len(batch) for batch in await batches(store, box)] == [100, 1]
    monkeypatch.setattr("mailstore.reading.export.GROUP_BYTES", 3 * len(message("n10")))
    found = await batches(store, box)
    assert max(len(batch) for batch in found) == 3
    assert [each.uid for batch in found for each in batch] == list(range(1, 102))


async def test_a_message_whose_body_is_lost_is_said(store):
    box = new_id()
    await store.append_all(box, [message("a"), message("b")])
    await store.pool.execute(
        "delete from bodies.chunk where body_id = (select body_id from mailstore.message where uid = 1)"
    )
    await store.pool.execute("delete from bodies.body where id = (select body_id from mailstore.message where uid = 1)")
    store.parts.bodies._fresh._bodies.clear()
    ((first, second),) = await batches(store, box)
    assert first.octets is None and second.octets == message("b")
