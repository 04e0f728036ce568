"""The clock that every rule about time takes (decision 11): the machine's plus an offset, or one that a test sets."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time. No rule of the product reads the machine's time in another way."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def timestamp(self) -> float:
        """Return the current time in seconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock plus `offset` seconds, for services without a database."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset

    def timestamp(self) -> float:
        return time.time() + self._offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)


class ManualClock:
    """A clock that a test sets."""

    def __init__(self, start: datetime) -> None:
        self.current = start

    def now(self) -> datetime:
        return self.current

    def timestamp(self) -> float:
        return self.current.timestamp()
