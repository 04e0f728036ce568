"""Announcements: after the commit and not before, collected and in one NOTIFY, never lost without "everything"."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.testing.speed import patient, until
from mailstore.storage.filing import queries as filing_queries
from mailstore.storage.notifications import CHANNEL, MOST_NAMED, Notifications
from mailstore.storage.operations import Operations
from mailstore_api.wire import Stored

from .conftest import START, message
from .test_mailstore_feed import Listener, listening


@pytest.fixture
def notifications(store):
    """Those of another replica, whose session is not open: what it collects stays."""
    made = Notifications(store.dsn)
    made._everything = False
    return made


@asynccontextmanager
async def heard(store):
    """The payloads that a session of the database hears."""
    payloads = []
    connection = await asyncpg.connect(store.dsn)
    await connection.add_listener(CHANNEL, lambda *args: payloads.append(args[3]))
    try:
        yield payloads
    finally:
        await connection.close()


class Session:
    """A database session that answers when it is let to, or fails."""

    def __init__(self):
        self.sent = []
        self.go = asyncio.Event()
        self.error = None

    async def execute(self, _statement, payloads):
        self.sent.append(payloads)
        await self.go.wait()
        if self.error:
            raise self.error


def in_inbox(store, notifications, mailbox_id):
    return Operations(store.pool, notifications).in_folder(mailbox_id, 1, new_id(), Stored, START)


async def test_a_change_is_collected_after_its_commit(store, notifications, mailbox_id):
    await store.folders(mailbox_id)
    async with in_inbox(store, notifications, mailbox_id) as (operation, _):
        operation.notify()
        await operation.folders.new_modseq(1)
        assert not notifications._ids, "not committed yet"
    assert notifications._ids == {mailbox_id}


async def test_a_rollback_announces_nothing(store, notifications, mailbox_id):
    await store.folders(mailbox_id)
    with pytest.raises(KeyError):
        async with in_inbox(store, notifications, mailbox_id) as (operation, _):
            operation.notify()
            raise KeyError
    assert not notifications._ids


async def test_an_unanswered_commit_is_announced(store, notifications, mailbox_id):
    """It may have been carried out before the session was lost."""
    await store.folders(mailbox_id)
    with pytest.raises(Unavailable):
        async with in_inbox(store, notifications, mailbox_id) as (operation, _):
            operation.notify()
            operation._connection.terminate()
    assert notifications._ids == {mailbox_id}


async def test_a_cancelled_commit_is_announced(store, notifications, mailbox_id, monkeypatch):
    await store.folders(mailbox_id)
    committing = asyncio.Event()

    async def commit(_self):
        committing.set()
        await asyncio.Event().wait()

    async def change():
        async with in_inbox(store, notifications, mailbox_id) as (operation, _):
            operation.notify()

    monkeypatch.setattr("asyncpg.transaction.Transaction._Transaction__commit", commit)
    task = asyncio.create_task(change())
    async with asyncio.timeout(patient(20)):
        await committing.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert notifications._ids == {mailbox_id}


async def test_no_transaction_of_a_change_notifies(store, mailbox_id):
    """Postgres commits one transaction with NOTIFY at a time."""
    await store.folders(mailbox_id)
    async with heard(store) as payloads:
        await store.deliver(mailbox_id, message())
        await store.store(mailbox_id, [(1, 1)], "add", "\\Deleted")
        await store.expunge(mailbox_id)
        assert store.parts.notifications._everything and not payloads
    assert not any("notify" in statement for _, statement in filing_queries.items())


async def test_a_filing_of_many_mailboxes_is_a_few_payloads(store):
    (body_id,) = await store.put(message())
    mailboxes = [new_id() for _ in range(500)]
    async with heard(store) as payloads:
        store.life.spawn(store.parts.feed.run())
        await until(lambda: payloads == ["*"])
        await store.file(*(store.filing(m, body_id) for m in mailboxes))
        await until(lambda: sum(len(payload.split()) for payload in payloads) > 500)
    assert len(payloads) == 4 and all(len(payload) < 7900 for payload in payloads)
    assert {part for payload in payloads[1:] for part in payload.split()} == {m.hex for m in mailboxes}


async def test_the_first_is_sent_at_once_and_what_comes_meanwhile_together(notifications):
    first, *others = [new_id() for _ in range(20)]
    session = Session()
    notifications.announce([first])
    sending = asyncio.create_task(notifications._send(session))
    async with asyncio.timeout(patient(20)):
        while not session.sent:
            await asyncio.sleep(0)
        for each in others:  # the session is slow
            notifications.announce([each])
            notifications.announce([each])
        session.go.set()
        await sending
        await notifications._send(session)
        await notifications._send(session)  # nothing is left
        await notifications.flush()
    assert session.sent == [[first.hex], [" ".join(sorted(each.hex for each in others))]]


async def test_what_a_lost_session_was_sending_is_sent_again(notifications):
    ids = [new_id(), new_id()]
    session = Session()
    session.go.set()
    session.error = asyncpg.ConnectionDoesNotExistError("gone")
    notifications.announce(ids[:1])
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await notifications._send(session)
    notifications.announce(ids[1:])
    session.error = None
    await notifications._send(session)
    assert session.sent[1:] == [[" ".join(sorted(each.hex for each in ids))]]


async def test_above_the_bound_everything_is_announced(notifications):
    session = Session()
    session.go.set()
    for _ in range(MOST_NAMED + 1):
        notifications.announce([new_id()])
    notifications.announce([new_id()])
    assert not notifications._ids
    await notifications._send(session)
    assert session.sent == [["*"]]


async def test_a_replica_that_died_before_it_announced_leaves_no_gap(store, notifications, mailbox_id):
    """The front end follows another replica; it learns of the change when the dead one starts again."""
    store.life.spawn(store.parts.feed.run())
    await listening(store)
    await store.folders(mailbox_id)
    listener = Listener(store.front, mailbox_id)
    await listener.until(lambda: listener.everything)
    async with in_inbox(store, notifications, mailbox_id) as (operation, _):
        operation.notify()
    before = listener.everything
    again = Notifications(store.dsn)  # the other's process has ended with what it had collected
    store.life.spawn(again.run(lambda ids: None))
    await listener.until(lambda: listener.everything > before)
    await listener.stop()


async def test_the_last_changes_are_announced_at_the_end(store, mailbox_id):
    async with heard(store) as payloads:
        running = store.life.spawn(store.parts.feed.run())
        await until(lambda: payloads == ["*"])
        await store.deliver(mailbox_id, message())
        await store.parts.notifications.flush()
        running.cancel()
        await until(lambda: payloads[1:] == [mailbox_id.hex])


@pytest.mark.parametrize("turns", range(5))
async def test_it_ends_when_cancelled_just_as_there_is_something_to_announce(store, turns):
    """asyncio.wait_for loses such a cancellation before Python 3.12."""
    notifications = Notifications(store.dsn)
    running = asyncio.create_task(notifications.run(lambda ids: None))
    await until(lambda: notifications._sent.is_set())
    async with asyncio.timeout(patient(20)):
        while not notifications._waiting._waiters:
            await asyncio.sleep(0.005)
    notifications.announce([new_id()])
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=patient(2))
    running.cancel()
    assert done


async def test_the_end_does_not_wait_for_a_database_that_is_away(notifications, monkeypatch):
    monkeypatch.setattr("mailstore.storage.notifications._FLUSH_SECONDS", 0)
    notifications.announce([new_id()])
    async with asyncio.timeout(patient(20)):
        await notifications.flush()
