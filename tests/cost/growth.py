"""The short form: how the processor time of all services and Postgres grows when the input doubles, and doubles again."""

import time

from mailkit.testing.growth import MOST_GROWTH
from tests.cost.bench import Bench
from tests.cost.case import Case
from tests.cost.measure import processor_seconds, spent
from tests.cost.runner import FAILURES

#: Seconds; below it the cost is that of any request, and no growth shows.
FLOOR = 0.04
#: The number of runs whose least is taken: what disturbs a measurement only ever adds to it. Only a case that looks steep gets them all.
REPEATS = 20
#: Seconds between them, so that what the machine does for a while does not disturb all.
PAUSE = 0.2


def cost(bench: Bench, case: Case, n: int) -> tuple[float, bytes]:
    """Processor time, in seconds, of one run at size n, and what was answered."""
    before = processor_seconds(bench.processes())
    answer = case.play(bench, n)
    return spent(before, processor_seconds(bench.processes())), answer


def faults(bench: Bench, case: Case) -> list[str]:
    """What is wrong with a case: an answer that says a failure of ours, cost that grew too much from `base` to its fourfold."""
    sizes = (case.base, 2 * case.base, 4 * case.base)
    seconds, answer = cost(bench, case, sizes[2])
    found = [f"answered {word.decode()}" for word in FAILURES if word in answer]
    least = {sizes[2]: seconds}
    for done in range(REPEATS):
        if least[sizes[2]] < FLOOR or (len(least) == len(sizes) and not steep(least)):
            return found
        time.sleep(PAUSE if done > 1 else 0)
        for n in sizes:
            least[n] = min(cost(bench, case, n)[0], least.get(n, float("inf")))
    return [*found, *steep(least)]


def steep(least: dict[int, float]) -> list[str]:
    """The last doubling, judged; smaller ones are mostly what every request costs."""
    *_, half, whole = (seconds for _, seconds in sorted(least.items()))
    if whole <= MOST_GROWTH * max(half, FLOOR / 2):
        return []
    return ["grew: " + ", ".join(f"{seconds * 1000:.0f} ms at {n:,}" for n, seconds in sorted(least.items()))]
