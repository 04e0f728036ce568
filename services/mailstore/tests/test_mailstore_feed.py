"""The change feed: one stream a front end, news by mailbox, "everything" after gaps and for the slow."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from mailkit.ids import new_id
from mailkit.process.clock import ManualClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.proof import LIFE, ProofKeys
from mailkit.testing.speed import patient
from mailstore.feed import MOST_WAITING, Subscriber
from mailstore_api.wire import WatchedMailbox

from .conftest import START, message

KEYS = ProofKeys([b"k" * 32])


def watched(count=1, *, clock):
    ids = [new_id() for _ in range(count)]
    return [WatchedMailbox(each, KEYS.sign(each, 1, clock.timestamp() + LIFE)) for each in ids]


class Asking(asyncio.Queue):
    """What a front end asks the feed for."""

    def __init__(self, proof_of, watched):
        super().__init__()
        self._proof_of = proof_of
        self.put_nowait(watched)

    async def lists(self):
        while True:
            yield [
                item if isinstance(item, WatchedMailbox) else WatchedMailbox(item, self._proof_of(item))
                for item in await self.get()
            ]


class Listener:
    """Reads the feed of some mailboxes until `stop`; `until` waits for what a test expects."""

    def __init__(self, client, *watched):
        self.ids, self.everything = [], 0
        self._more = asyncio.Event()
        self._asking = Asking(client.proof_of, watched)
        self._task = asyncio.create_task(self._read(client))

    def watch(self, *watched):
        self._asking.put_nowait(watched)

    async def _read(self, client):
        async for news in client.feed(self._asking.lists()):
            self.ids += news.mailbox_ids
            self.everything += news.everything
            self._more.set()

    async def until(self, what):
        async with asyncio.timeout(patient(20)):
            while not what():
                self._more.clear()
                await self._more.wait()

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def listening(store):
    """The feed's own session listens, and "everything" has been reported: its check, `select 1`, comes after both."""
    async with asyncio.timeout(patient(20)):
        while not await store.pool.fetchval(
            "select exists (select from pg_stat_activity where application_name = 'postrider-feed' "
            "and datname = current_database() and query = 'select 1')"
        ):
            await asyncio.sleep(0.02)


async def test_every_kind_of_change_is_told(store, mailbox_id):
    store.life.spawn(store.parts.feed.run())
    await listening(store)
    await store.folders(mailbox_id)
    listener = Listener(store.front, mailbox_id)
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
    listener = Listener(store.front, mailbox_id)
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
    async with asyncio.timeout(patient(20)):
        while not raised:
            await asyncio.sleep(0.01)
    listener = Listener(store.front, mailbox_id)
    await listener.until(lambda: listener.everything == 2)  # it began, and the second session
    await store.deliver(mailbox_id, message())
    await listener.until(lambda: mailbox_id in listener.ids)
    await listener.stop()


async def test_a_slow_front_end_is_told_everything_and_costs_no_memory():
    clock = ManualClock(START)
    subscriber = Subscriber(clock)
    frames = subscriber.frames()
    first = await anext(frames)
    many = watched(MOST_WAITING + 50, clock=clock)
    subscriber.watch(many)
    for item in many:
        subscriber.put([item.mailbox_id])
    assert len(await anext(frames)) < 100 and len(first) < 100


async def test_heartbeats(monkeypatch):
    monkeypatch.setattr("mailstore.feed.HEARTBEAT_SECONDS", 0.01)
    frames = Subscriber(ManualClock(START)).frames()
    await anext(frames)
    beat = await anext(frames)
    assert len(beat) < 10


async def test_a_front_end_that_left_is_forgotten(store, mailbox_id):
    listener = Listener(store.front, mailbox_id)
    await listener.until(lambda: listener.everything)
    assert len(store.parts.feed._subscribers) == 1
    await listener.stop()
    await store.front.aclose()
    async with asyncio.timeout(patient(20)):
        while store.parts.feed._subscribers:
            await asyncio.sleep(0.02)


async def test_streams_end_when_the_service_stops(store, mailbox_id):
    assert isinstance(store.life, Lifecycle)
    listener = Listener(store.front, mailbox_id)
    await listener.until(lambda: listener.everything)
    store.life.stopping.set()
    store.parts.feed.end()
    async with asyncio.timeout(patient(20)):
        await asyncio.wait([listener._task])


async def test_only_watched_mailboxes_are_told_of_and_only_by_a_good_proof(store, mailbox_id):
    """The front end's token alone used to hear of every mailbox."""
    store.life.spawn(store.parts.feed.run())
    await listening(store)
    other, forged = new_id(), new_id()
    listener = Listener(store.front)
    await listener.until(lambda: listener.everything)
    listener.watch(WatchedMailbox(other, store.proof(mailbox_id)), WatchedMailbox(forged, b"f" * 44))
    listener.watch(mailbox_id)
    await listener.until(lambda: mailbox_id in listener.ids)  # newly watched: look for yourself
    for each in (other, forged, mailbox_id):
        await store.deliver(each, message())
    await listener.until(lambda: listener.ids.count(mailbox_id) == 2)
    assert not {other, forged} & set(listener.ids)
    listener.watch(other)
    await listener.until(lambda: other in listener.ids)
    await store.deliver(other, message())
    await listener.until(lambda: listener.ids.count(other) == 2)
    await listener.stop()


async def test_a_watch_ends_with_its_proof_and_goes_on_with_a_new_one():
    clock = ManualClock(START)
    subscriber = Subscriber(clock)
    (item,) = watched(clock=clock)
    subscriber.watch([item])
    subscriber.put(None)
    frames = subscriber.frames()
    await anext(frames)

    def news():
        """What waits for the next frame."""
        ids = set(subscriber._ids)
        subscriber._ids.clear()
        return ids

    subscriber.put([item.mailbox_id])
    assert news() == {item.mailbox_id}
    clock.current += timedelta(seconds=LIFE)
    subscriber.put([item.mailbox_id])
    assert news() == set()
    renewed = WatchedMailbox(item.mailbox_id, KEYS.sign(item.mailbox_id, 1, clock.timestamp() + LIFE))
    subscriber.watch([renewed])
    assert news() == {item.mailbox_id}, "it was not heard of for a while"
    clock.current += timedelta(seconds=LIFE / 2)
    subscriber.watch([WatchedMailbox(item.mailbox_id, KEYS.sign(item.mailbox_id, 1, clock.timestamp() + LIFE))])
    assert news() == set(), "a renewed proof is no news"


async def test_watched_mailboxes_are_bounded(monkeypatch):
    monkeypatch.setattr("mailstore.feed.MOST_WATCHED", 20)
    clock = ManualClock(START)
    subscriber = Subscriber(clock)
    subscriber.watch(watched(15, clock=clock))
    subscriber.watch(watched(15, clock=clock))
    assert len(subscriber._watched) == 20
    clock.current += timedelta(seconds=LIFE)
    late = watched(15, clock=clock)
    subscriber.watch(late)
    assert set(subscriber._watched) == {item.mailbox_id for item in late}


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\0\0\0\2\xc1\xc1", b"\0\0\0\1\x01"])
async def test_what_is_no_watch_list_ends_the_stream(store, sent):
    async def lists():
        yield sent
        await asyncio.Event().wait()

    async with asyncio.timeout(patient(20)):
        async for _ in store.front.frames("POST", "/v1/feed", lists(), sock_read=25):
            pass
    assert not store.parts.feed._subscribers
