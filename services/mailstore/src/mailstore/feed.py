"""The change feed: notifications of Postgres, passed on to the front ends that watch the mailbox.

Decisions 8 and 40. They are hints; MODSEQ decides.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec

from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.proof import expires
from mailstore import metrics
from mailstore.storage.notifications import Notifications
from mailstore_api.wire import FeedNews, WatchedMailbox

log = get_logger()

HEARTBEAT_SECONDS = 10.0
#: Limit of the news that wait for a slow front end; beyond it "everything changed" replaces them.
MOST_WAITING = 10_000
#: Limit of the mailboxes that one front end watches; beyond it new ones are not watched until proofs of others expire.
MOST_WATCHED = 100_000

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class Subscriber:
    """Stream to one front end. It begins with "everything", so that no change from before it joined is lost."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: dict[UUID, int] = {}
        """End of the watch of each mailbox, in seconds since the epoch."""
        self._ids: set[UUID] = set()
        self._everything = True
        self._news = asyncio.Event()
        self._news.set()

    def watch(self, items: Sequence[WatchedMailbox]) -> None:
        """Watch these mailboxes as well, each until its (valid) proof expires; report new ones at once."""
        now = self._clock.timestamp()
        if len(self._watched) + len(items) > MOST_WATCHED:
            self._watched = {mailbox_id: until for mailbox_id, until in self._watched.items() if until > now}
        new = []
        for item in items:
            if self._watched.get(item.mailbox_id, 0) <= now:
                if len(self._watched) >= MOST_WATCHED:
                    log.warning("rejected", work="watch list", most=MOST_WATCHED)
                    break
                new.append(item.mailbox_id)
            self._watched[item.mailbox_id] = expires(item.proof)
        self.put(new)

    def put(self, ids: list[UUID] | None) -> None:
        """Report changes of these mailboxes, as far as they are watched; None: of all."""
        if ids is None or len(self._ids) > MOST_WAITING:
            self._everything = True
            self._ids.clear()
        elif not self._everything:
            now = self._clock.timestamp()
            watched = [mailbox_id for mailbox_id in ids if self._watched.get(mailbox_id, 0) > now]
            if not watched:
                return
            self._ids.update(watched)
        self._news.set()

    def wake(self) -> None:
        """Send a frame now, even if it is empty."""
        self._news.set()

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield frames without end; an empty one is the heartbeat."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):  # wait_for loses a cancellation before Python 3.12
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            news = FeedNews(list(self._ids), self._everything)
            self._ids.clear()
            self._everything = False
            data = _encode(news)
            yield len(data).to_bytes(4, "big") + data


class Feed:
    """The announcements of all replicas, passed on to the subscribers."""

    def __init__(self, notifications: Notifications, clock: Clock) -> None:
        self._notifications = notifications
        self._clock = clock
        self._subscribers: set[Subscriber] = set()

    def join(self) -> Subscriber:
        subscriber = Subscriber(self._clock)
        self._subscribers.add(subscriber)
        metrics.FEEDS.set(len(self._subscribers))
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        metrics.FEEDS.set(len(self._subscribers))

    async def run(self) -> None:
        """Send and receive announcements until cancelled; after a gap "everything" is reported to all subscribers."""
        while True:
            try:
                await self._notifications.run(self._changed)
            except Exception as error:  # no error may end the feed, on which all front ends depend
                report(error, "feed")
            await asyncio.sleep(0.5)

    def end(self) -> None:
        """Wake every stream, so that it checks whether the service is stopping."""
        self._put(None)

    def _changed(self, ids: list[UUID] | None) -> None:
        metrics.NEWS.inc()
        self._put(ids)

    def _put(self, ids: list[UUID] | None) -> None:
        for subscriber in self._subscribers:
            subscriber.put(ids)
