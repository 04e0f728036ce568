"""The change feed: what LISTEN hears goes to every front end as one stream (decision 8). A hint; MODSEQ is the truth."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from mailkit.db import open_session
from mailkit.logs import get_logger
from mailkit.report import report
from mailstore import metrics
from mailstore_client.wire import FeedNews

log = get_logger()

HEARTBEAT_SECONDS = 10.0
#: News a slow front end may have waiting; beyond it "everything changed" replaces them.
MOST_WAITING = 10_000

_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode


class Subscriber:
    """One front end's stream. It begins with "everything": what changed before it joined is not lost between the two."""

    def __init__(self) -> None:
        self._ids: set[UUID] = set()
        self._everything = True
        self._news = asyncio.Event()
        self._news.set()

    def put(self, ids: list[UUID] | None) -> None:
        """None: everything."""
        if ids is None or len(self._ids) > MOST_WAITING:
            self._everything = True
            self._ids.clear()
        elif not self._everything:
            self._ids.update(ids)
        self._news.set()

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames without end; an empty one is the heartbeat."""
        while True:
            try:
                await asyncio.wait_for(self._news.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                pass
            self._news.clear()
            news = FeedNews(list(self._ids), self._everything)
            self._ids.clear()
            self._everything = False
            data = _encode(news)
            yield len(data).to_bytes(4, "big") + data


class Feed:
    """Listens on a session of its own and passes on."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._subscribers: set[Subscriber] = set()

    def join(self) -> Subscriber:
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        metrics.FEEDS.set(len(self._subscribers))
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        metrics.FEEDS.set(len(self._subscribers))

    async def run(self) -> None:
        """Listen until cancelled; after a gap everybody is told that anything may have changed."""
        while True:
            try:
                connection = await open_session(self._dsn, "feed")
                try:
                    await connection.add_listener("postrider_mailboxes", self._heard)
                    self._tell(None)
                    while not connection.is_closed():
                        await asyncio.wait_for(connection.fetchval("select 1"), 5)
                        await asyncio.sleep(2)
                finally:
                    connection.terminate()
            except Exception as error:  # whatever it is, the feed goes on: without it no front end hears of anything
                report(error, "feed")
            await asyncio.sleep(0.5)

    def end(self) -> None:
        """Wake every stream, so that it looks whether the service is stopping."""
        self._tell(None)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        metrics.NEWS.inc()
        text = str(payload)
        self._tell(None if text == "*" else [UUID(hex=part) for part in text.split()])

    def _tell(self, ids: list[UUID] | None) -> None:
        for subscriber in self._subscribers:
            subscriber.put(ids)
