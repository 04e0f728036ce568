"""Measurement of event loop stalls: each client of the process waits for the length of a stall."""

import asyncio
import time

from prometheus_client import Histogram

from mailkit.process.metrics import from_zero

#: Period of the measurement, in seconds; the measured length of a stall is too short by at most this.
PERIOD = 0.05

STALL_SECONDS = from_zero(
    Histogram(
        "postrider_process_loop_stall_seconds",
        "How late the event loop ran a timer that is due every 50 ms, by what the time went to: work (processor time of "
        "the loop's thread), wait (a blocking call, or the machine gave it no processor)",
        ["cause"],
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    ),
    ("work", "wait"),
)


class StallWatch:
    """Measures delay and processor time from one turn of the timer to the next."""

    def __init__(self, now: float, worked: float) -> None:
        self._due = now + PERIOD
        self._worked = worked
        self._work, self._wait = STALL_SECONDS.labels("work").observe, STALL_SECONDS.labels("wait").observe

    def turn(self, now: float, worked: float) -> None:
        """Count a turn at `now`, by a monotonic clock; `worked`: processor time of this thread. Both in seconds."""
        late = max(0.0, now - self._due)
        work = min(late, worked - self._worked)
        self._work(work)
        self._wait(late - work)
        self._due, self._worked = now + PERIOD, worked


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Measure `loop`, the loop of this thread, as long as it runs."""
    stalls = StallWatch(time.monotonic(), time.thread_time())

    def turn() -> None:
        stalls.turn(time.monotonic(), time.thread_time())
        loop.call_later(PERIOD, turn)

    loop.call_later(PERIOD, turn)
