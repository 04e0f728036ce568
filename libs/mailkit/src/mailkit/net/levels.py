"""Recent activity of many clients, a leaky bucket each, in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Levels:
    """A level for each key, which rises by what is added and falls by `per_second`.

    At most `most` keys are kept; above that the key with the oldest addition is dropped. `clock`: in seconds.
    """

    def __init__(self, per_second: float, *, most: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = most
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def level(self, key: str) -> float:
        """Return the current level; 0 for an unknown key."""
        level, since = self._known.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock() - since) * self._per_second) if level else 0.0

    def add(self, key: str, amount: float = 1.0) -> float:
        """Raise the level by `amount` and return it."""
        level = self.level(key) + amount
        self._known[key] = (level, self._clock())
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return level
