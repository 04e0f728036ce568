"""What tests wait for at most grows with how slow the machine is: never less than on an idle one, and never without end."""

import pytest

from mailkit.testing import speed


@pytest.mark.parametrize(("slowness", "waits"), [(0.5, 10), (1, 10), (3.5, 35), (400, 10 * speed.MOST)])
def test_a_wait_is_as_many_times_longer_as_the_machine_is_slower(
    monkeypatch: pytest.MonkeyPatch, slowness: float, waits: float
) -> None:
    asked = []

    def loop() -> float:
        asked.append(1)
        return slowness * speed.NOMINAL_SECONDS

    monkeypatch.setattr(speed, "_loop", loop)
    speed._of_this_session.cache_clear()
    try:
        assert speed.patient(10) == pytest.approx(waits)
        assert speed.patient(20) == pytest.approx(2 * waits)
        assert len(asked) == speed.ROUNDS, "it is measured once"
    finally:
        speed._of_this_session.cache_clear()
