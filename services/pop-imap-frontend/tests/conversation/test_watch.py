"""What the front end holds for its sessions: proofs renewed by the re-check, and what the change feed is asked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from auth_api.fake import FakeAuth
from auth_api.wire import Login
from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.rpc.proof import LIFE, expires
from mailkit.testing.speed import patient
from mailstore_api.wire import MOST_WATCHED_A_FRAME, FeedNews
from pop_imap_frontend.conversation.watch import Subscriptions, Watch


class Session:
    """A logged-in session that notes its events."""

    def __init__(self, account, follows_changes=True):
        self.changed = asyncio.Event()
        self.account = account
        self.proof = account.proof
        self.protocol = "imap"
        self.follows_changes = follows_changes
        self.followed = None
        self.ended = ""

    def end(self, reason):
        self.ended = reason


class Feed:
    """Mailstore's feed: notes what it is asked for, says what it is given, and can break off."""

    def __init__(self):
        self.asked = []
        self.connections = 0
        self.news = asyncio.Queue()
        self.heard = asyncio.Event()

    async def feed(self, watched):
        self.connections += 1

        async def listen():
            async for items in watched:
                self.asked += items
                self.heard.set()

        listening = asyncio.create_task(listen())
        try:
            while (news := await self.news.get()) is not None:
                yield news
        finally:
            listening.cancel()
        raise Unavailable("it broke off")

    async def until(self, what):
        async with asyncio.timeout(patient(20)):
            while not what():
                self.heard.clear()
                await self.heard.wait()


class Clock:
    now = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def world():
    clock, feed = Clock(), Feed()
    auth = FakeAuth(now=lambda: clock.now)
    for name in ("a@site.com", "b@site.com"):
        auth.add_mailbox(name, "secret")
    watch = Watch(feed, auth)
    following = asyncio.create_task(watch.follow_feed())

    async def log_in(name="a@site.com", **more):
        (answer,) = await auth.logins([Login(new_id(), "imap", name, "secret", None)])
        session = Session(answer, **more)
        session.leave = watch.add(session)
        return session

    yield clock, auth, feed, watch, log_in
    following.cancel()


async def test_a_proof_is_renewed_by_the_re_check_for_its_session_and_the_feed(world):
    clock, _, feed, watch, log_in = world
    session, mailbox_id = await log_in(), None
    first, mailbox_id = session.proof, session.account.mailbox_id
    assert watch.proof(mailbox_id) == first
    await feed.until(lambda: feed.asked)
    await watch.recheck()
    assert session.proof == first, "it has more than half its life to go"
    clock.now += timedelta(seconds=LIFE / 2 + 1)
    await watch.recheck()
    assert expires(session.proof) == expires(first) + LIFE // 2 + 1 and not session.ended
    await feed.until(lambda: len(feed.asked) == 2)
    assert [(item.mailbox_id, item.proof) for item in feed.asked] == [(mailbox_id, first), (mailbox_id, session.proof)]
    session.leave()
    assert watch.proof(mailbox_id) == b""


async def test_of_a_mailboxes_sessions_the_proof_that_lasts_longest_is_shown(world):
    clock, _, _, watch, log_in = world
    old = await log_in()
    clock.now += timedelta(seconds=100)
    new = await log_in()
    assert watch.proof(old.account.mailbox_id) == new.proof > old.proof


async def test_while_auth_is_away_sessions_stay_and_without_a_proof_they_end(world):
    clock, auth, _, watch, log_in = world
    session, unproven = await log_in(), await log_in("b@site.com")
    unproven.proof = b""  # of an auth that knows of none
    auth.away = True
    clock.now += timedelta(seconds=LIFE + 60)
    with pytest.raises(Unavailable):
        await watch.recheck()
    assert not session.ended
    auth.away = False
    await watch.recheck()
    assert not session.ended and expires(session.proof) > clock.now.timestamp()
    assert unproven.ended


async def test_every_connection_of_the_feed_is_asked_for_all_and_then_for_the_new(world):
    _, _, feed, _, log_in = world
    first = await log_in()
    await log_in("b@site.com", follows_changes=False)  # POP3: a snapshot, whatever comes
    await feed.until(lambda: len(feed.asked) == 1)
    await feed.news.put(None)
    await feed.until(lambda: feed.connections == 2 and len(feed.asked) == 2)
    second = await log_in("b@site.com")
    await feed.until(lambda: len(feed.asked) == 3)
    boxes = [item.mailbox_id for item in feed.asked]
    assert boxes == [first.account.mailbox_id, first.account.mailbox_id, second.account.mailbox_id]
    first.changed.clear()
    await feed.news.put(FeedNews([second.account.mailbox_id]))
    async with asyncio.timeout(patient(20)):
        await second.changed.wait()
    assert not first.changed.is_set()


async def test_lists_are_bounded_and_the_first_leaves_at_once():
    subscriptions = Subscriptions((), lambda mailbox_id: b"p")
    lists = subscriptions.lists()
    assert await anext(lists) == []
    for _ in range(MOST_WATCHED_A_FRAME + 1):
        subscriptions.add(new_id())
    assert [len(await anext(lists)) for _ in range(2)] == [MOST_WATCHED_A_FRAME, 1]


async def test_each_selected_folder_is_compared_once_in_lists_with_a_bound(world, monkeypatch):
    _, _, feed, watch, log_in = world
    monkeypatch.setattr("pop_imap_frontend.conversation.watch.MOST_FOLLOWED", 2)
    sessions = [await log_in() for _ in range(5)]
    for session, followed in zip(sessions, [(1, 7), (1, 7), (1, 9), (2, 7), None], strict=True):
        session.followed = followed
    asked = []

    async def folders_changed(items):
        asked.append(items)
        sessions[2].followed = (3, 9)  # it selects another folder meanwhile
        return [item.folder_id == 1 for item in items]

    feed.folders_changed = folders_changed
    for session in sessions:
        session.changed.clear()
    await watch.compare()
    assert [len(items) for items in asked] == [2, 1]
    assert {(item.folder_id, item.modseq) for items in asked for item in items} == {(1, 7), (1, 9), (2, 7)}
    assert [session.changed.is_set() for session in sessions] == [True, True, False, False, False]
