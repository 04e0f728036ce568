"""The trace in mailboxes: filing, first fetch, moves to Junk or Trash and deletions, written with the change itself."""

from datetime import timedelta

import pytest

from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailstore.reading import first_fetch
from mailstore.storage import events
from mailstore_api.wire import CloseMaildrop, OpenMaildrop, ReadAhead, ReadMaildrop, Section

from .conftest import message


async def filed(store, mailbox_id, count=1):
    """File messages; their queue ids."""
    items = [store.filing(mailbox_id, body_id) for body_id in await store.put(*[message()] * count)]
    assert set(await store.file(*items)) == {"filed"}
    return [item.queue_id.hex for item in items]


async def story(store, *queue_ids):
    await store.parts.fetches.store()
    return [(e["event"], e["folder"], e["protocol"]) for e in await store.admin.trace(queue_ids)]


async def test_the_story_of_a_message_by_imap(store, mailbox_id):
    queue_id, other = await filed(store, mailbox_id, 2)
    await store.fetch(mailbox_id, ["ENVELOPE"], [Section(text="HEADER")])
    assert await story(store, queue_id) == [("filed", "INBOX", "")], "a header is not the message"
    for _ in range(2):
        store.pass_time(1)
        await store.fetch(mailbox_id, sections=[Section()], ranges=[(1, 1)])
    store.pass_time(1)
    await store.copy(mailbox_id, [(1, 1)], "Archive", move=True)
    archive, trash = [(await store.folders(mailbox_id))[name].folder_id for name in ("Archive", "Trash")]
    await store.copy(mailbox_id, [(1, 1)], "Trash", folder_id=archive, move=True)
    store.pass_time(1)
    await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted", folder_id=trash)
    await store.expunge(mailbox_id, folder_id=trash)
    assert await story(store, queue_id) == [
        ("filed", "INBOX", ""),
        ("fetched", "", "imap"),
        ("moved", "Trash", "imap"),
        ("deleted", "Trash", "imap"),
    ]
    (fetched,) = [e for e in await store.admin.trace([queue_id]) if e["event"] == "fetched"]
    assert fetched["at"] == "2026-03-01T12:00:01Z" and fetched["mailbox_id"] == str(mailbox_id)
    store.pass_time(1)
    await store.copy(mailbox_id, [(2, 2)], "Junk")
    assert await story(store, other) == [("filed", "INBOX", ""), ("copied", "Junk", "imap")]


async def test_pop3_fetches_and_deletes(store, mailbox_id):
    queue_ids = await filed(store, mailbox_id, 3)
    session = new_id()
    await store.front.open_maildrop(OpenMaildrop(mailbox_id, session))
    async for _ in store.front.read_maildrop(ReadMaildrop(mailbox_id, 1, 1)):
        pass
    await store.front.read_ahead(ReadAhead(mailbox_id, 1, b"\2\0\0\0"))
    store.pass_time(1)
    await store.front.close_maildrop(CloseMaildrop(mailbox_id, session, b"\2\0\0\0"))
    assert await story(store, queue_ids[0]) == [("filed", "INBOX", ""), ("fetched", "", "pop3")]
    assert (await story(store, queue_ids[1]))[1:] == [("fetched", "", "pop3"), ("deleted", "INBOX", "pop3")]
    assert await story(store, queue_ids[2]) == [("filed", "INBOX", "")]


async def test_a_mailbox_shows_what_happened_in_it_in_pages(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(events, "MOST_BODIES", 2)
    queue_ids = await filed(store, mailbox_id, 5)
    await store.copy(mailbox_id, [(1, 5)], "Junk", move=True)
    assert await store.change("delete", mailbox_id, "Junk") == "ok"
    pages = [page async for page in store.admin.mailbox_trace(str(mailbox_id), limit=4)]
    assert [[(e["event"], e["messages"]) for e in page] for page in pages] == [
        [("deleted", 1), ("deleted", 2), ("deleted", 2), ("moved", 1)],
        [("moved", 2), ("moved", 2)],
    ]
    assert [e async for page in store.admin.mailbox_trace(str(mailbox_id), older=3600) for e in page] == []
    events_of = await store.admin.trace(queue_ids)
    assert sorted(e["event"] for e in events_of) == ["deleted"] * 5 + ["filed"] * 5 + ["moved"] * 5
    (kept,) = await filed(store, mailbox_id)
    store.pass_time(1)
    await store.admin.purge_mailbox(str(mailbox_id))
    assert await story(store, kept) == [("filed", "INBOX", ""), ("purged", "", "operator")]


async def test_first_fetches_are_bounded_and_wait_for_the_database(store, mailbox_id, monkeypatch):
    monkeypatch.setattr(first_fetch, "MOST_WAITING", 2)
    monkeypatch.setattr(first_fetch, "BATCH", 1)
    notes = first_fetch.FirstFetches(store.parts.traces, store.clock, timedelta(days=400))
    bodies = [new_id() for _ in range(3)]
    notes.note(mailbox_id, bodies, "imap")
    notes.note(mailbox_id, bodies[:1], "pop3")

    async def away(fetches):
        raise Unavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.parts.traces, "note_fetched", away)
        await notes.store()
    await notes.store()
    rows = await store.pool.fetch("select body_id, protocol from mailstore.fetched order by body_id")
    assert [tuple(row) for row in rows] == [(bodies[0], "imap"), (bodies[1], "imap")]
    old = first_fetch.FirstFetches(store.parts.traces, store.clock, timedelta(days=-400))
    old.note(mailbox_id, bodies[2:], "imap")
    await old.store()
    assert await store.pool.fetchval("select count(*) from mailstore.fetched") == 2, "an old message is not noted"


async def test_an_event_exists_exactly_if_its_change_does(store, mailbox_id, monkeypatch):
    """The event is in the transaction: a change that fails after it leaves none."""
    await filed(store, mailbox_id)

    async def fails(*_):
        raise Unavailable("the database is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailstore.storage.operations.Operation.remember", fails)
        with pytest.raises(Unavailable):
            await store.copy(mailbox_id, [(1, 1)], "Trash", move=True)
    assert await store.pool.fetchval("select count(*) from mailstore.event") == 0
    await store.copy(mailbox_id, [(1, 1)], "Trash", move=True)
    assert await store.pool.fetchval("select count(*) from mailstore.event") == 1
