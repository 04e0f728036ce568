"""Speed of this machine at present, relative to the machine for which absolute time limits were set."""

import asyncio
import functools
import hashlib
import itertools
import os
import time
from collections.abc import Callable

#: Seconds of the loop below on the machine for which the limits were set: two cores, no other load.
NOMINAL_SECONDS = 0.055
ROUNDS = 3
#: Least factor of a wait. A wait ends when its condition is met, so a wide limit only delays the failure of a test. It covers
#: what no average shows: a moment in which another worker starts six processes, or the machine is halted.
LEAST = 3.0
#: Greatest factor: a slower machine is of no use for tests, and a test that hangs has to end.
MOST = 15.0


def _loop() -> float:
    """Return the seconds taken by a fixed amount of interpreted and of hashing work."""
    started = time.perf_counter()
    total = 0
    for number in range(400_000):
        total = (total * 31 + number) % 1_000_003
    block = total.to_bytes(4, "big") * 256
    for _ in range(40_000):
        block = hashlib.sha256(block).digest()
    return time.perf_counter() - started


def slowness(nominal: float = NOMINAL_SECONDS) -> float:
    """Return the factor for absolute time limits: 1 on the nominal machine or a faster one, never less.

    It is the median of three runs, so that one interruption does not widen the limits; a busy machine counts as slow.
    """
    return max(1.0, sorted(_loop() for _ in range(ROUNDS))[ROUNDS // 2] / nominal)


@functools.cache
def _of_this_session() -> float:
    return slowness()


def _now() -> float:
    """Return the slowness measured once per process or, if greater, the load per core of the last minute; at most MOST."""
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return min(MOST, max(_of_this_session(), load))


def patient(seconds: float) -> float:
    """Return how long a test waits before it fails for what takes at most `seconds` on an idle machine.

    It decides when a test has failed, not how fast the product is: a wait ends when its condition is met.
    """
    return seconds * max(LEAST, _now())


def allowed(seconds: float) -> float:
    """Return how long the product may take for what takes at most `seconds` on an idle machine, as narrow as possible."""
    return seconds * _now()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Run the loop until `condition()` is true. Raises TimeoutError after `seconds` of an idle machine."""
    async with asyncio.timeout(patient(seconds)):
        for turn in itertools.count():
            if condition():
                return
            await asyncio.sleep(
                0 if turn < 200 else 0.005
            )  # what needs a few turns of the loop need not wait for a clock
