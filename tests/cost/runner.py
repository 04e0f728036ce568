"""Runs the cases of `make cost` one after the other beside a second client, and judges what each cost."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from mailkit.process.stalls import PERIOD
from tests.cost.bench import Bench
from tests.cost.case import MB, Case
from tests.cost.measure import Cost, Meter
from tests.cost.witness import Step, Witness

#: What the second and third run add to memory says whether the first one's was given back.
RUNS = 3
#: While the last two runs still added to it, there are more.
MOST_RUNS = 9
#: A first run that grew by less than this, within all limits, is not repeated: it has nothing to give back.
NOTHING = 2 * MB
#: The limits on the nominal machine. Those of time are multiplied by its slowness (mailkit.testing.speed).
STALL_SECONDS = 0.25 - PERIOD  # a stall may be measured that much too short
POSTGRES_SECONDS = 2.0
OTHERS_SECONDS = 1.0
GROWN = 64 * MB
KEPT = 8 * MB
#: What no answer may say, whatever was asked.
FAILURES = (b"SERVERBUG", b"internal error", b"451 4.", b"[UNAVAILABLE]", b"-ERR [SYS/TEMP]")


@dataclass(frozen=True)
class Limits:
    """What one run may cost on this machine."""

    slowness: float

    @property
    def stall(self) -> float:
        return STALL_SECONDS * self.slowness

    @property
    def postgres(self) -> float:
        return POSTGRES_SECONDS * self.slowness

    @property
    def others(self) -> float:
        return OTHERS_SECONDS * self.slowness


@dataclass
class Result:
    """One case, measured. Times in seconds, memory in octets; `faults` is empty when every limit was kept."""

    case: Case
    seconds: float = 0.0
    work: float = 0.0
    wait: float = 0.0
    """The longest stalls by what the time went to: the loop's own work, or waiting."""
    grown: int = 0
    kept: int = 0
    postgres: float = 0.0
    others: float = 0.0
    faults: list[str] = field(default_factory=list)


def run(cases: Iterable[Case], bench: Bench, meter: Meter, witness: Witness, limits: Limits) -> Iterator[Result]:
    """Each case at its full size, RUNS times when there is something to see."""
    for case in cases:
        yield _one(case, bench, meter, witness, limits)


def _one(case: Case, bench: Bench, meter: Meter, witness: Witness, limits: Limits) -> Result:
    result, costs, steps = Result(case), list[Cost](), list[Step]()
    for number in range(MOST_RUNS):
        if number >= RUNS and _kept(costs) < KEPT:
            break
        started = time.monotonic()
        try:
            cost, answer = _measured(case, bench, meter, witness)
        except Exception as error:
            result.faults.append(f"{type(error).__name__}: {error!s:.120}")
            break
        costs.append(cost)
        steps += witness.during(started, time.monotonic())
        result.faults += [f"answered {word.decode()}" for word in FAILURES if word in answer]
        worst = max(stall for stall, _ in cost.stalls.values())
        if cost.grown < NOTHING and worst < limits.stall and cost.postgres < limits.postgres:
            break
    if costs:
        _sum_up(result, costs, steps, limits)
    return result


def _measured(case: Case, bench: Bench, meter: Meter, witness: Witness) -> tuple[Cost, bytes]:
    started = time.monotonic()

    def settle() -> None:
        witness.wait_beyond(started)

    with meter.measuring(settle) as cost:
        answer = case.play(bench, case.full)
    return cost, answer


def _sum_up(result: Result, costs: list[Cost], steps: list[Step], limits: Limits) -> None:
    """A stall and Postgres time count when most runs have them: what the input costs and not what the machine did."""
    result.seconds = costs[0].seconds
    result.work = median(cost.stalls["work"][0] for cost in costs)
    result.wait = median(cost.stalls["wait"][0] for cost in costs)
    result.postgres = median(cost.postgres for cost in costs)
    result.grown = max(cost.grown for cost in costs)
    result.kept = _kept(costs)
    took = sorted(step.ended - step.started for step in steps)
    result.others = took[min(len(took) - 1, int(len(took) * 0.99))]
    checks = {
        f"{_service(costs, 'work')} worked over {result.work:.2f} s in one turn": result.work >= limits.stall,
        f"{_service(costs, 'wait')} waited over {result.wait:.2f} s": result.wait >= limits.stall,
        f"{max(costs, key=lambda cost: cost.grown).largest} grew by {result.grown / MB:.0f} MB": result.grown >= GROWN,
        f"{result.kept / MB:.0f} MB more after the last two runs": result.kept >= KEPT,
        f"{result.postgres:.1f} s of Postgres time": result.postgres >= limits.postgres,
        f"{result.others:.1f} s for another client's step": result.others >= limits.others,
    }
    result.faults += [text for text, broken in checks.items() if broken]
    result.faults += [f"another client: {step.name}: {step.wrong}" for step in steps if step.wrong][:3]


def _kept(costs: list[Cost]) -> int:
    """What the last two runs added to memory, in octets. What is not given back grows in each pair of runs; a cache with a
    bound is full after some."""
    return sum(cost.kept for cost in costs[1:][-2:])


def _service(costs: list[Cost], cause: str) -> str:
    return max(cost.stalls[cause] for cost in costs)[1]
