"""The change feed: one stream a front end, news by mailbox, "everything" after gaps and for the slow, one NOTIFY a transaction."""

import asyncio

import asyncpg
import pytest

from mailkit.ids import new_id
from mailkit.lifecycle import Lifecycle
from mailstore.feed import MOST_WAITING, Subscriber

from .conftest import message


class Listener:
    """Reads the feed until told to stop; `until` waits for what a test expects."""

    def __init__(self, client):
        self.ids, self.everything = [], 0
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._read(client))

    async def _read(self, client):
        async for news in client.feed():
            self.ids += news.mailbox_ids
            self.everything += news.everything
            self._more.set()

    async def until(self, what):
        async with asyncio.timeout(20):
            while not what():
                self._more.clear()
                await self._more.wait()

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def listening(store):
    """The feed's own session is up."""
    async with asyncio.timeout(20):
        while not await store.pool.fetchval(
            "select exists (select from pg_stat_activity where application_name = 'postrider-feed' "
            "and datname = current_database())"
        ):
            await asyncio.sleep(0.02)


async def test_every_kind_of_change_is_told(store, mailbox_id):
    store.life.spawn(store.parts.feed.run())
    await listening(store)
    await store.folders(mailbox_id)
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything)  # the first frame: look for yourself
    changes = [
        lambda: store.deliver(mailbox_id, message(), message()),
        lambda: store.append(mailbox_id, message(), "Sent"),
        lambda: store.store(mailbox_id, [(1, 1)], "add", "\\Deleted"),
        lambda: store.copy(mailbox_id, [(1, 1)], "Trash"),
        lambda: store.copy(mailbox_id, [(2, 2)], "Trash", move=True),
        lambda: store.expunge(mailbox_id),
        lambda: store.change("create", mailbox_id, "new"),
        lambda: store.admin.purge_mailbox(str(mailbox_id)),
    ]
    for change in changes:
        seen = len(listener.ids)
        await change()
        await listener.until(lambda seen=seen: mailbox_id in listener.ids[seen:])
    await listener.stop()


async def test_a_lost_session_is_everything(store, mailbox_id):
    store.life.spawn(store.parts.feed.run())
    await listening(store)
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything)
    before = listener.everything
    await store.pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postrider-feed' "
        "and datname = current_database()"
    )
    await listener.until(lambda: listener.everything > before)
    await listening(store)
    await store.deliver(mailbox_id, message())
    await listener.until(lambda: mailbox_id in listener.ids)
    await listener.stop()


@pytest.mark.parametrize(
    "trouble", [asyncpg.InternalClientError("cannot switch to state 12"), asyncpg.InterfaceError("closed"), KeyError(1)]
)
async def test_no_trouble_ends_the_feed(store, mailbox_id, monkeypatch, trouble):
    """A session killed right at its beginning was asyncpg's InternalClientError, and no front end heard of anything again."""
    add, raised = asyncpg.Connection.add_listener, []

    async def first_fails(connection, *args):
        if not raised:
            raised.append(trouble)
            raise trouble
        await add(connection, *args)

    monkeypatch.setattr(asyncpg.Connection, "add_listener", first_fails)
    store.life.spawn(store.parts.feed.run())
    async with asyncio.timeout(20):
        while not raised:
            await asyncio.sleep(0.01)
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything == 2)  # it began, and the second session
    await store.deliver(mailbox_id, message())
    await listener.until(lambda: mailbox_id in listener.ids)
    await listener.stop()


async def test_one_announcement_a_transaction(store):
    heard = []
    connection = await asyncpg.connect(store.dsn)
    await connection.add_listener("postrider_mailboxes", lambda *args: heard.append(args[3]))
    (body_id,) = await store.put(message())
    mailboxes = [new_id() for _ in range(500)]
    await store.file(*(store.filing(m, body_id) for m in mailboxes))
    async with asyncio.timeout(10):
        while sum(len(payload.split()) for payload in heard) < 500:
            await connection.fetchval("select 1")
    assert len(heard) == 3 and all(len(payload) < 7900 for payload in heard)
    assert {part for payload in heard for part in payload.split()} == {m.hex for m in mailboxes}
    await connection.close()


async def test_a_slow_front_end_is_told_everything_and_costs_no_memory():
    subscriber = Subscriber()
    frames = subscriber.frames()
    first = await anext(frames)
    for _ in range(MOST_WAITING + 50):
        subscriber.put([new_id()])
    assert len(await anext(frames)) < 100 and len(first) < 100


async def test_heartbeats(monkeypatch):
    monkeypatch.setattr("mailstore.feed.HEARTBEAT_SECONDS", 0.01)
    frames = Subscriber().frames()
    await anext(frames)
    beat = await anext(frames)
    assert len(beat) < 10


async def test_a_front_end_that_left_is_forgotten(store):
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything)
    assert len(store.parts.feed._subscribers) == 1
    await listener.stop()
    await store.front.aclose()
    async with asyncio.timeout(20):
        while store.parts.feed._subscribers:
            await asyncio.sleep(0.02)


async def test_streams_end_when_the_service_stops(store):
    assert isinstance(store.life, Lifecycle)
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything)
    store.life.stopping.set()
    store.parts.feed.end()
    async with asyncio.timeout(20):
        await asyncio.wait([listener._task])
