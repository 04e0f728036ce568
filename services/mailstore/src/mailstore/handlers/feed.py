"""The endpoint of the change feed: one request without end that takes lists of watched mailboxes and returns their changes."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
from starlette.types import Receive, Scope, Send

from mailkit.errors import BadRequest, PostriderError
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.logs import get_logger
from mailkit.process.report import describe
from mailkit.rpc.app import REQUEST_SECONDS, App
from mailkit.rpc.decode import decoded
from mailstore.feed import Feed, Subscriber
from mailstore.handlers.proven import Proven
from mailstore_api.wire import WatchList

log = get_logger()

PATH = "/v1/feed"
#: Limit of the octets of a frame; MOST_WATCHED_A_FRAME mailboxes take 64,000.
LARGEST_FRAME = 128 * 1024

_decoder = msgspec.msgpack.Decoder(WatchList)


def add_feed(app: App, feed: Feed, proven: Proven, life: Lifecycle) -> None:
    """Mount the endpoint on `app`. It answers while the request is still being sent, which FastAPI's routes cannot."""

    async def endpoint(_scope: Scope, _body: bytes, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        subscriber = feed.join()
        asking = asyncio.create_task(_listen(receive, subscriber, proven))
        asking.add_done_callback(lambda _: subscriber.wake())
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"application/octet-stream"), (b"connection", b"close")],
                }
            )
            REQUEST_SECONDS.labels(PATH, "ok").observe(time.perf_counter() - started)
            async for frame in subscriber.frames():
                if asking.done() or life.stopping.is_set():
                    break
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            asking.cancel()
            feed.leave(subscriber)

    app.authority.allow(PATH, "frontend", most=None)
    app.endpoints[PATH] = endpoint
    app.questions[PATH] = WatchList


async def _listen(receive: Receive, subscriber: Subscriber, proven: Proven) -> None:
    """Read watch lists until the front end disconnects or sends an invalid one."""
    try:
        async for data in _frames(receive):
            items = decoded(_decoder, data, WatchList).items
            subscriber.watch([item for item in items if proven.holds(item.mailbox_id, item.proof)])
    except PostriderError as error:
        log.warning("rejected", work="watch list", error=describe(error))


async def _frames(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the request's frames, each preceded by its length in 4 octets. Raises BadRequest for one that is too long."""
    buffer = bytearray()
    while (message := await receive())["type"] != "http.disconnect":
        buffer += message.get("body", b"")
        while len(buffer) >= 4:
            end = 4 + int.from_bytes(buffer[:4], "big")
            if end > LARGEST_FRAME:
                raise BadRequest(f"a frame here has at most {LARGEST_FRAME} octets")
            if len(buffer) < end:
                break
            yield bytes(buffer[4:end])
            del buffer[:end]
            await asyncio.sleep(0)  # the first lists of a front end are long
