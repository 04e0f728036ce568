"""No pattern of the product takes more than linear time, whatever the text (n, 2n, 4n octets made to slow it down)."""

import re
from functools import partial
from pathlib import Path

import pytest

from mailkit.testing.growth import MOST_GROWTH, MOST_ROUNDS, growth
from tests.support import patterns

SOURCES = [path for path in patterns.sources() if "re." in path.read_text()]


def slow(use: patterns.Use, rounds: int = MOST_ROUNDS) -> list[str]:
    """The texts on which a pattern grows too fast, described; one is enough."""
    for how in sorted(use.how):
        for make in patterns.texts(use.pattern):
            work = partial(patterns.apply, use.pattern, how)
            factor = growth(make, work, patterns.LENGTH, floor=patterns.FLOOR, rounds=rounds)
            if factor >= MOST_GROWTH:
                return [f"{use.place}: {how} of {make(40)!r} and so on: {factor:.1f} times for twice the length"]
    return []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(patterns.ROOT)))
def test_patterns_take_linear_time(path: Path) -> None:
    assert [line for use in patterns.uses(path) for line in slow(use)] == []


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        (rb"(?im)^Delivered-To:[ \t]*([^\r\n]*?)[ \t]*\r$", "search"),
        (r"&[^-]*$", "search"),
        (r"(a+)+$", "match"),
        (r"(?:(?:a|b)*,?)*\Z", "match"),
        (r"[*%]*\*[*%]*", "search"),
    ],
)
def test_a_pattern_that_is_not_linear_is_found(pattern: "str | bytes", how: str) -> None:
    assert slow(patterns.Use("here", re.compile(pattern), frozenset((how,))), rounds=5)


def test_every_pattern_is_found() -> None:
    assert sum(1 for path in SOURCES for _ in patterns.uses(path)) > 60
