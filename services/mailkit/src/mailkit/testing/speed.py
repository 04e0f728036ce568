"""How fast this machine is just now, beside the one the absolute limits were set on."""

import asyncio
import functools
import hashlib
import os
import time
from collections.abc import Callable

#: Seconds the loop below takes on the machine the limits were set on: two cores, nothing else running.
NOMINAL_SECONDS = 0.055
ROUNDS = 3
#: A wait that is met ends then, so a wide limit costs nothing but the time in which a test fails. This much is for what no
#: average shows: a moment in which another worker starts six processes, or the machine is halted.
LEAST = 3.0
#: A machine slower than this is of no use for tests, and a test that hangs has to end.
MOST = 15.0


def _loop() -> float:
    """Seconds for a fixed amount of interpreted and of hashing work."""
    started = time.perf_counter()
    total = 0
    for number in range(400_000):
        total = (total * 31 + number) % 1_000_003
    block = total.to_bytes(4, "big") * 256
    for _ in range(40_000):
        block = hashlib.sha256(block).digest()
    return time.perf_counter() - started


def slowness(nominal: float = NOMINAL_SECONDS) -> float:
    """By what absolute limits of time are multiplied: 1 on the nominal machine or a faster one, never less.

    The median of three runs, so that one interruption does not widen the limits; a machine that others keep busy is slow.
    """
    return max(1.0, sorted(_loop() for _ in range(ROUNDS))[ROUNDS // 2] / nominal)


@functools.cache
def _of_this_session() -> float:
    return slowness()


def _now() -> float:
    """The slowness measured at the first call, once per process, or what the machine's load of the last minute makes of it."""
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return min(MOST, max(_of_this_session(), load))


def patient(seconds: float) -> float:
    """How long a test waits before it gives up where an idle machine needs `seconds` at most.

    It says when a test has failed, never how fast the product is: a wait ends when what it waits for is there.
    """
    return seconds * max(LEAST, _now())


def allowed(seconds: float) -> float:
    """How long the product itself may take for what takes `seconds` at most on an idle machine: not wider than it has to be."""
    return seconds * _now()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the loop run until `condition()` is true. Raises TimeoutError when the wait is over; `seconds` are an idle machine's."""
    async with asyncio.timeout(patient(seconds)):
        while not condition():
            await asyncio.sleep(0.005)
