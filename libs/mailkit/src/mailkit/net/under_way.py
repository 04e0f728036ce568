"""Bounds of work that others can make slow: questions to the DNS, requests to hosts of others. At a bound the slowest gives way."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Labels at the end of a name by which work counts as about one domain: without a list of suffixes, all of `co.uk` is one.
LABELS = 2

Group = tuple[str, str]
"""A kind of bound, and whose: `("network", "192.0.2.0/24")`."""


class TooManyUnderWay(Exception):
    """A bound is reached, and what began first within it may not be given up before `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many are under way")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The place of one piece of work. `since`: monotonic seconds; `give_up` ends it."""

    groups: tuple[Group, ...]
    since: float
    give_up: Callable[[], None]


class WorkUnderWay:
    """Places for work under way. Slow work, whoever causes it, leaves room for other work.

    `bounds`: most places of a group by its kind; `all` is that of all work. `patience`: seconds after which work may be given up
    for other work. `clock`: monotonic seconds.
    """

    def __init__(
        self, bounds: Mapping[str, int], *, patience: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bounds = dict(bounds)
        self._patience = patience
        self._clock = clock
        self._groups: dict[Group, dict[Place, None]] = {}  # each in the order in which its work began

    @property
    def taken(self) -> int:
        """Return the number of places that are taken."""
        return len(self._groups.get(("all", ""), ()))

    def take(self, groups: tuple[Group, ...], give_up: Callable[[], None]) -> Place:
        """Return a place in `groups`. Raises TooManyUnderWay.

        Where a bound is reached, the work within it that began first is given up.
        """
        groups = (("all", ""), *groups)
        now = self._clock()
        slowest = []
        for group in groups:
            held = self._groups.get(group, {})
            if len(held) >= self._bounds[group[0]]:
                first = next(iter(held))
                if now - first.since < self._patience:
                    raise TooManyUnderWay(first.since + self._patience - now)
                slowest.append(first)
        place = Place(groups, now, give_up)
        for each in dict.fromkeys(slowest):
            self.leave(each)
            each.give_up()
        for group in groups:
            self._groups.setdefault(group, {})[place] = None
        return place

    def leave(self, place: Place) -> None:
        """Free a place; one that was freed already stays so."""
        for group in place.groups:
            held = self._groups.get(group, {})
            held.pop(place, None)
            if not held:
                self._groups.pop(group, None)


def domain_group(name: str) -> Group:
    """Return the group of a name in the DNS: the domain of its last LABELS labels."""
    return "domain", ".".join(name.lower().removesuffix(".").split(".")[-LABELS:])
