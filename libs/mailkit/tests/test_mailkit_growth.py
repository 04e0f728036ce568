"""The measurement of growth: disturbances do not count, a square does, and it ends."""

from collections.abc import Callable
from itertools import count

import pytest

from mailkit.testing import growth as measured
from mailkit.testing.growth import MOST_GROWTH, MOST_ROUNDS, MOST_SECONDS, growth


class Machine:
    """A clock of processor time that work moves forward; `disturb` says by how much too far, given the number of the run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float], disturb: Callable[[int], float]):
        self.now, self.runs, self.numbers = 0.0, list[int](), count()
        self._cost, self._disturb = cost, disturb
        monkeypatch.setattr(measured.time, "thread_time", lambda: self.now)

    def work(self, size: int) -> None:
        self.runs.append(size)
        self.now += self._cost(size) + self._disturb(next(self.numbers))

    def growth(self, **limits: float) -> float:
        return growth(lambda size: size, self.work, 1000, **limits)  # type: ignore[arg-type]


def linear(size: int) -> float:
    return size * 1e-6


def square(size: int) -> float:
    return size * size * 1e-9


def quiet(_: int) -> float:
    return 0.0


def test_linear_work_is_measured_three_times_with_its_sizes_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, linear, quiet)
    assert machine.growth() == pytest.approx(2)
    assert machine.runs == [4000] + [1000, 2000, 4000] * 3


def test_what_disturbs_most_of_the_runs_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, linear, lambda run: 0.0 if run % 13 == 0 else 0.001 * (run % 7))
    assert machine.growth() < MOST_GROWTH
    assert len(machine.runs) > 3 * 3 + 1


def test_a_square_is_one_through_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, square, quiet)
    assert machine.growth() == pytest.approx(4)
    assert len(machine.runs) == 3 * MOST_ROUNDS + 1
    assert machine.now < MOST_SECONDS


def test_a_slow_one_is_measured_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, lambda size: square(size) * 20, quiet)
    assert machine.growth() == pytest.approx(4)
    assert machine.now < MOST_SECONDS + 1


def test_what_takes_no_time_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, square, quiet)
    assert machine.growth(floor=0.02) == 1
    assert machine.runs == [4000]


def test_a_run_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "RUN_SECONDS", 0.05)

    def endless(_: int) -> None:
        while True:
            try:
                pass
            except Exception:
                continue

    assert growth(lambda size: size, endless, 1) == float("inf")


def test_real_work() -> None:
    def linear(text: list[int]) -> None:
        for _ in text:
            pass

    def square(text: list[int]) -> None:
        for _ in text:
            linear(text)

    def make(size: int) -> list[int]:
        return [0] * size

    assert growth(make, linear, 20_000) < MOST_GROWTH
    assert growth(make, square, 100, rounds=5) > MOST_GROWTH
