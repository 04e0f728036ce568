"""How the processor time of a piece of work grows with the size of its input: n, 2n, 4n.

What disturbs a measurement only adds to it, so the least of many measurements counts, taken in turn of all sizes: a factor
that is too large is measured again, and only one that stays so through all rounds is the work's own.
"""

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Input = TypeVar("Input")

#: Linear work doubles; sorting, caches and the noise of a shared machine get the rest. Quadratic work grows fourfold.
MOST_GROWTH = 2.5
LEAST_ROUNDS, MOST_ROUNDS = 3, 60
#: Seconds of processor time after which no further round is begun.
MOST_SECONDS = 5.0
#: One run that takes more processor time (seconds) is not waited for.
RUN_SECONDS = 1.0
#: What takes less (seconds) at 4n is linear: nothing grows there that could be measured.
FLOOR = 0.0005


class TooSlow(BaseException):
    """RUN_SECONDS are over. No Exception, so that the work cannot take it for one of its own."""


def growth(
    make: Callable[[int], Input],
    work: Callable[[Input], Any],
    size: int,
    *,
    floor: float = FLOOR,
    most: float = MOST_GROWTH,
    rounds: int = MOST_ROUNDS,
) -> float:
    """Measure the larger of the two factors by which `work` slows down from `size` to its double and from that to its fourfold.

    `make` returns the input of a size; it is called for each run and not measured. The result is 1 when the work at four
    times `size` takes less than `floor` seconds, and inf when a run takes more than RUN_SECONDS, which only the main thread
    notices. Measuring ends when the factor is below `most`, after `rounds` of all sizes or after MOST_SECONDS.
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
    """The largest factor between neighbouring sizes."""
    seconds = [least[size] for size in sorted(least)]
    return max(after / before for before, after in zip(seconds, seconds[1:], strict=False))


def _seconds(work: Callable[[Input], Any], given: Input) -> float:
    """Processor time, in seconds, that this thread takes for one run. Raises TooSlow."""
    collecting = gc.isenabled()
    gc.disable()  # what other tests left is not the work's
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
    """Raise TooSlow in the main thread after RUN_SECONDS of processor time; `re`, too, looks at signals while it works."""

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
