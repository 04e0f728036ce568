"""The short form of `make cost`: no input costs more than in proportion to its size (n, 2n, 4n)."""

from collections.abc import Iterator

import pytest

from mailkit.testing.speed import patient
from tests.cost.bench import Bench, benches
from tests.cost.case import Case
from tests.cost.cases import all_cases
from tests.cost.growth import faults

pytestmark = pytest.mark.timeout(patient(600))  # the first waits for the service and for its mailboxes
CASES = [case for case in all_cases() if case.base]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with benches(messages=2000, folders=60) as made:
        made.prepare()
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_cost_grows_with_the_size_at_most(bench: Bench, case: Case) -> None:
    assert faults(bench, case) == []
