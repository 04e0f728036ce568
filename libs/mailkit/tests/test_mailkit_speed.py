"""What tests wait for at most grows with how slow the machine is: never less than on an idle one, and never without end."""

from collections.abc import Iterator

import pytest

from mailkit.testing import speed


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """A machine that is a number of times slower than the nominal one, with a number of processes that want to run."""
    state = {"slowness": 1.0, "load": 0.0, "measured": 0}

    def loop() -> float:
        state["measured"] += 1
        return state["slowness"] * speed.NOMINAL_SECONDS

    monkeypatch.setattr(speed, "_loop", loop)
    monkeypatch.setattr(speed.os, "getloadavg", lambda: (state["load"], 0.0, 0.0))
    monkeypatch.setattr(speed.os, "sched_getaffinity", lambda _: {0, 1})
    speed._of_this_session.cache_clear()
    yield state
    speed._of_this_session.cache_clear()


@pytest.mark.parametrize(
    ("slowness", "load", "times"),
    [(0.5, 0, 1), (1, 0, 1), (4, 0, 4), (400, 0, speed.MOST), (1, 10, 5), (4, 10, 5), (4, 2, 4), (1, 1000, speed.MOST)],
)
def test_limits_are_as_many_times_wider_as_the_machine_is_slower(
    machine: dict[str, float], slowness: float, load: float, times: float
) -> None:
    machine |= {"slowness": slowness, "load": load}
    assert speed.allowed(10) == pytest.approx(10 * times)
    assert speed.patient(10) == pytest.approx(10 * max(times, speed.LEAST))
    assert speed.patient(20) == 2 * speed.patient(10)
    assert machine["measured"] == speed.ROUNDS, "it is measured once"


def test_a_machine_that_becomes_busy_is_seen(machine: dict[str, float]) -> None:
    assert speed.allowed(10) == 10
    machine["load"] = 12
    assert speed.allowed(10) == 60


async def test_until_waits_for_the_condition_and_not_without_end(machine: dict[str, float]) -> None:
    asked = []
    await speed.until(lambda: asked.append(1) or len(asked) > 3)
    with pytest.raises(TimeoutError):
        await speed.until(lambda: False, 0.01)
