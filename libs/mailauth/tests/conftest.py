"""Steps of a piece of work, counted: the same on every machine."""

import sys
from collections.abc import Callable
from typing import Any

import pytest


def _steps(work: Callable[[], Any]) -> int:
    """The lines of the library that `work` executes."""
    count = 0

    def line(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(frame: Any, event: str, argument: Any) -> Any:
        return line if "mailauth" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture
def linear() -> Callable[[Callable[[int], Any], int], None]:
    """Check that `work(n)` takes at most twice the steps at 2n, and four times at 4n, with a tenth for what is constant."""

    def check(work: Callable[[int], Any], size: int) -> None:
        once, twice, four = (_steps(lambda n=n: work(n)) for n in (size, 2 * size, 4 * size))
        assert once > 0 and twice <= 2.1 * once and four <= 4.2 * once, (once, twice, four)

    return check
