"""The rules by which costs are judged, on numbers."""

from pathlib import Path

import pytest

from mailkit.testing.speed import slowness
from tests.cost import table
from tests.cost.growth import FLOOR, steep
from tests.cost.measure import longest, spent

INFINITE = float("inf")


@pytest.mark.parametrize(
    ("power", "grows"), [(1.0, False), (1.2, False), (1.5, True), (2.0, True)], ids=["n", "n^1.2", "n^1.5", "n^2"]
)
def test_more_than_linear_growth_is_seen(power: float, grows: bool) -> None:
    assert bool(steep({n: FLOOR * n**power for n in (1, 2, 4)})) is grows


def test_what_costs_next_to_nothing_has_no_growth() -> None:
    assert steep({1: 0.0001, 2: 0.001, 4: FLOOR}) == []


def test_a_process_that_ends_takes_nothing_back() -> None:
    assert spent({"1": 5.0, "2": 1.0}, {"1": 5.5, "3": 0.25}) == 0.75


def test_the_longest_stall_is_the_lower_bound_of_its_bucket() -> None:
    before = {0.1: 5.0, 0.25: 6.0, 0.5: 6.0, INFINITE: 6.0}
    assert longest(before, before) == 0
    assert longest(before, {0.1: 9.0, 0.25: 10.0, 0.5: 10.0, INFINITE: 10.0}) == 0
    assert longest(before, {0.1: 9.0, 0.25: 10.0, 0.5: 11.0, INFINITE: 11.0}) == 0.25
    assert longest(before, {0.1: 9.0, 0.25: 10.0, 0.5: 10.0, INFINITE: 11.0}) == 0.5


def test_no_machine_narrows_the_limits_and_a_slow_one_widens_them() -> None:
    assert slowness(1000.0) == 1
    assert slowness(0.0001) > 1


def test_the_table_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write("new", page)
    assert page.read_text() == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no place"):
        table.write("new", page)
