"""The short form: how the processor time of all services and Postgres grows when the input doubles, and doubles again."""

from tests.cost.bench import Bench
from tests.cost.case import Case
from tests.cost.measure import processor_seconds
from tests.cost.runner import FAILURES

#: Seconds; below it the cost is that of any request, and no growth shows.
FLOOR = 0.04
#: Linear work doubles; sorting and the noise of a shared machine get the rest. Quadratic work grows fourfold.
DOUBLING = 2.5
#: The least of so many runs: what disturbs a measurement only ever adds to it.
REPEATS = 5


def cost(bench: Bench, case: Case, n: int) -> tuple[float, bytes]:
    """Processor time, in seconds, of one run at size n, and what was answered."""
    before = processor_seconds(bench.processes())
    answer = case.play(bench, n)
    return processor_seconds(bench.processes()) - before, answer


def faults(bench: Bench, case: Case) -> list[str]:
    """What is wrong with a case: an answer that says a failure of ours, cost that grew too much from `base` to its fourfold."""
    sizes = (case.base, 2 * case.base, 4 * case.base)
    seconds, answer = cost(bench, case, sizes[2])
    found = [f"answered {word.decode()}" for word in FAILURES if word in answer]
    least = {sizes[2]: seconds}
    for _ in range(REPEATS):
        if least[sizes[2]] < FLOOR or (len(least) == len(sizes) and not steep(least)):
            return found
        for n in sizes:
            least[n] = min(cost(bench, case, n)[0], least.get(n, float("inf")))
    return [*found, *steep(least)]


def steep(least: dict[int, float]) -> list[str]:
    """The last doubling, judged; smaller ones are mostly what every request costs."""
    *_, half, whole = (seconds for _, seconds in sorted(least.items()))
    if whole <= DOUBLING * max(half, FLOOR / 2):
        return []
    return ["grew: " + ", ".join(f"{seconds * 1000:.0f} ms at {n:,}" for n, seconds in sorted(least.items()))]
