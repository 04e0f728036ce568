"""How fast this machine is just now, beside the one the absolute limits were set on."""

import functools
import hashlib
import time

#: Seconds the loop below takes on the machine the limits were set on: two cores, nothing else running.
NOMINAL_SECONDS = 0.055
ROUNDS = 3
#: A machine slower than this is of no use for tests, and a test that hangs has to end.
MOST = 12.0


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
    return min(slowness(), MOST)


def patient(seconds: float) -> float:
    """How long a test waits before it gives up where an idle machine needs `seconds` at most: the speed is measured once per
    process. It says when a test has failed, never how fast the product is: a wait ends when what it waits for is there."""
    return seconds * _of_this_session()
