"""Growth of the processor time of a piece of work with the size of its input: n, 2n, 4n.

Disturbances only add to a measurement, so the least of many counts, taken of all sizes in turn: a factor that is too large is
measured again, and only one that stays too large in all rounds is due to the work.
"""

import gc
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Input = TypeVar("Input")

#: Limit of the factor. Linear work doubles; the rest is for sorting and caches (up to 2.7 was seen beside other work). Work of
#: the order n**1.5 grows by 2.83, quadratic work fourfold.
MOST_GROWTH = 2.8
LEAST_ROUNDS, MOST_ROUNDS = 3, 60
#: Seconds of processor time after which no further round is begun.
MOST_SECONDS = 5.0
#: Limit of the processor time of one run, in seconds; a longer one is interrupted.
RUN_SECONDS = 1.0
#: Work that takes less time at 4n, in seconds, counts as linear: its growth could not be measured.
FLOOR = 0.0005


class TooSlow(BaseException):
    """A run took more than RUN_SECONDS. Not an Exception, so that the work does not catch it."""


def growth(
    make: Callable[[int], Input],
    work: Callable[[Input], Any],
    size: int,
    *,
    floor: float = FLOOR,
    most: float = MOST_GROWTH,
    rounds: int = MOST_ROUNDS,
) -> float:
    """Return the larger of the two factors by which `work` slows down from `size` to 2 `size` and from that to 4 `size`.

    `make` returns the input of a size; it is called for each run and not measured. The result is 1 if the work at 4 `size`
    takes less than `floor` seconds, and inf if a run takes more than RUN_SECONDS, which is only detected in the main thread.
    Measuring ends when the factor is below `most`, after `rounds` of all sizes or after MOST_SECONDS.
    """
    sizes = (size, 2 * size, 4 * size)
    least = dict.fromkeys(sizes, float("inf"))
    try:
        if _seconds(work, make(sizes[-1])) < floor:
            return 1.0
        spent, done = 0.0, 0
        while done < LEAST_ROUNDS or (factor(least) >= most and done < rounds and spent < MOST_SECONDS):
            for each in sizes:
                seconds = _seconds(work, make(each))
                least[each] = min(least[each], seconds)
                spent += seconds
            done += 1
    except TooSlow:
        return float("inf")
    return factor(least)


def factor(least: dict[int, float]) -> float:
    """Return the largest factor between adjacent sizes."""
    seconds = [least[size] for size in sorted(least)]
    return max(after / before for before, after in itertools.pairwise(seconds))


def _seconds(work: Callable[[Input], Any], given: Input) -> float:
    """Return the processor time of this thread for one run, in seconds. Raises TooSlow."""
    collecting = gc.isenabled()
    gc.disable()  # garbage of other tests is not part of the work
    try:
        with _bounded():
            started = time.thread_time()
            work(given)
            return time.thread_time() - started
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _bounded() -> Iterator[None]:
    """Raise TooSlow in the main thread after RUN_SECONDS of processor time; `re` also checks for signals while matching."""

    def stop(*_: object) -> None:
        raise TooSlow

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, RUN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
