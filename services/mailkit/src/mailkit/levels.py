"""How much each of many clients did lately, in bounded memory (a leaky bucket each)."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Levels:
    """A level for each key: it rises by what is added and sinks by `per_second`.

    At most `most` keys are known; of more, those that nothing was added to for longest are forgotten. `clock`: seconds.
    """

    def __init__(self, per_second: float, *, most: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def level(self, key: str) -> float:
        """How high it is now; 0 for a key that is not known."""
        level, since = self._known.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock() - since) * self._per_second) if level else 0.0

    def add(self, key: str, amount: float = 1.0) -> float:
        """Raise the level, and return it."""
        level = self.level(key) + amount
        self._known[key] = (level, self._clock())
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return level
