"""The short form: how the processor time of all services and Postgres grows when the input doubles, and doubles again."""

import psutil

from tests.cost.bench import Bench
from tests.cost.case import Case
from tests.cost.measure import SERVICES, processor_seconds

#: Seconds; below it the cost is that of any request, and no growth shows.
FLOOR = 0.04
#: Linear work doubles; sorting and the noise of a shared machine get the rest. Quadratic work grows fourfold.
DOUBLING = 2.5
#: The least of so many runs: what disturbs a measurement only ever adds to it.
REPEATS = 3


def _processes(bench: Bench) -> list[psutil.Process]:
    postgres = bench.run.service("postgres")
    return [*(bench.run.service(module) for module in SERVICES.values()), postgres, *postgres.children()]


def cost(bench: Bench, case: Case, n: int) -> float:
    """Processor time, in seconds, of one run at size n."""
    processes = _processes(bench)
    before = processor_seconds(processes)
    case.play(bench, n)
    return processor_seconds(processes) - before


def too_steep(bench: Bench, case: Case) -> str:
    """What grew too much from `base` over its double to its fourfold; empty when nothing did."""
    sizes = (case.base, 2 * case.base, 4 * case.base)
    least = {sizes[2]: cost(bench, case, sizes[2])}
    for _ in range(REPEATS):
        if least[sizes[2]] < FLOOR or (len(least) == len(sizes) and not _steep(least)):
            return ""
        for n in sizes:
            least[n] = min(cost(bench, case, n), least.get(n, float("inf")))
    return _steep(least)


def _steep(least: dict[int, float]) -> str:
    """The last doubling, judged; smaller ones are mostly what every request costs."""
    *_, half, whole = (seconds for _, seconds in sorted(least.items()))
    if whole <= DOUBLING * max(half, FLOOR / 2):
        return ""
    return ", ".join(f"{seconds * 1000:.0f} ms at {n:,}" for n, seconds in sorted(least.items()))
