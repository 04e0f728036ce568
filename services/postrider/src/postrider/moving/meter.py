"""A progress bar on a terminal: how far, how fast, how long still."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

#: Characters of the bar, and seconds between two drawings.
BAR = 30
PERIOD = 0.2


class Meter:
    """Counts things of one unit; draws on standard error if that is a terminal. `total` 0: unknown."""

    def __init__(
        self, unit: str, total: int = 0, *, to: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.unit = unit
        self.total = total
        self.done = 0
        self._to = sys.stderr if to is None else to
        self._clock = clock
        self._began = self._drawn = clock()
        self._shown = False

    def add(self, count: int = 1) -> None:
        """Count further things."""
        self.done += count
        now = self._clock()
        if now - self._drawn >= PERIOD and self._to.isatty():
            self._drawn, self._shown = now, True
            self._to.write(f"\r{self.line(now)}\x1b[K")
            self._to.flush()

    def line(self, now: float) -> str:
        """Return the line as of `now`."""
        rate = self.done / max(now - self._began, 0.001)
        said = f"{self.done:,} {self.unit}, {rate:,.0f}/s"
        if not self.total:
            return said
        done = min(self.done, self.total)
        filled = BAR * done // self.total
        left = int((self.total - done) / rate) if rate else 0
        said = f"{self.done:,} of {self.total:,} {self.unit}, {rate:,.0f}/s"
        return f"[{'#' * filled}{'.' * (BAR - filled)}] {said}, {left // 60}:{left % 60:02} left"

    def seconds(self) -> float:
        """Return the time since the start, in seconds."""
        return self._clock() - self._began

    def end(self) -> None:
        """End the line."""
        if self._shown:
            self._to.write(f"\r{self.line(self._clock())}\x1b[K\n")
            self._to.flush()
