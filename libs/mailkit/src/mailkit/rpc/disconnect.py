"""Cancellation of work whose caller has disconnected: its answer would not be read, and others wait for what it holds."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from prometheus_client import Counter
from starlette.types import Receive

#: Seconds before the caller's connection is watched; most work is done by then.
LOOK_AFTER = 0.5

DROPPED = Counter("postrider_http_dropped_total", "Requests whose work was dropped because the caller had gone")

T = TypeVar("T")


async def while_caller_waits(receive: Receive, work: Awaitable[T]) -> T | None:
    """Return the result of `work`; if the caller's connection ends first, cancel it and return None.

    To be called when the request's body has been read: the next event of `receive` is the end of the connection. For the
    caller a dropped request is like one to a process that died: it repeats the call with the same operation id (decision 3).
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    watch: asyncio.Task[None] | None = None
    gone = False

    async def look() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    def begin() -> None:
        nonlocal watch
        watch = loop.create_task(look())

    timer = loop.call_later(LOOK_AFTER, begin)
    try:
        return await work
    except BaseException:
        if not gone:
            raise
        DROPPED.inc()
        task.uncancel()
        return None
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()
