"""Bounds of work that others can make slow: at a bound the slowest gives way, and only within it."""

from typing import Any

import pytest

from mailkit.net.under_way import TooManyUnderWay, WorkUnderWay, domain_group


def test_a_place_is_given_by_the_slowest_work_within_the_bound() -> None:
    now = [0.0]
    given_up: list[str] = []
    held = WorkUnderWay({"all": 4, "network": 2, "domain": 2}, patience=1.0, clock=lambda: now[0])

    def take(network: str, name: str) -> Any:
        return held.take((("network", network), domain_group(name)), lambda: given_up.append(f"{network} {name}"))

    take("one", "a.x.evil.test")
    now[0] = 0.5
    second = take("one", "b.evil.test")
    with pytest.raises(TooManyUnderWay) as refused:
        take("one", "c.test.other")
    assert refused.value.seconds == 0.5 and held.taken == 2
    now[0] = 1.0
    take("one", "good.test")
    assert given_up == ["one a.x.evil.test"], "the network's"
    take("two", "EVIL.test.")
    with pytest.raises(TooManyUnderWay):
        take("three", "d.evil.test")
    take("three", "other.test")
    with pytest.raises(TooManyUnderWay):
        take("four", "any.test")
    now[0] = 1.5
    take("four", "e.evil.test")
    assert given_up[1:] == ["one b.evil.test"], "the domain's, which is the slowest of all as well"
    held.leave(second)
    now[0] = 2.0
    take("five", "any.test")
    assert given_up[2:] == ["one good.test"] and held.taken == 4, "the slowest of all"


def test_places_that_are_left_leave_nothing_behind() -> None:
    held = WorkUnderWay({"all": 2, "domain": 2}, patience=0.0)
    for place in [held.take((domain_group(f"{n}.test"),), lambda: None) for n in range(2)]:
        held.leave(place)
    assert held.taken == 0 and held._groups == {}
