"""Which remote addresses answered lately, and how long and how often the others are tried (docs/decisions/0036).

Many domains may be served by one address. While it has not answered, few connections to it are opened at once, each with
shorter time-outs; once it has not answered in time it is left alone for a while, as qmail's tcpto does.
"""

from dataclasses import dataclass, replace

from queue_worker.couriers import trouble
from queue_worker.couriers.models import Timeouts

#: An address that answered is expected to answer again for so long, in seconds.
LATELY = 600.0
#: Connections opened at once to an address that did not answer lately; to one that failed to: one.
AT_ONCE = 5
#: Seconds for a connection and for the greeting of an address that never answered; doubled with each failure.
FIRST_CONNECT, FIRST_GREETING = 10.0, 30.0
#: Seconds that an address is left alone after its first failure, doubled with each, and at most.
FIRST_HOLD, LONGEST_HOLD = 30.0, 300.0
#: Addresses remembered.
REMEMBERED = 10_000


@dataclass(slots=True)
class _Known:
    answered: float | None = None
    failures: int = 0
    failed: float = 0.0


class Addresses:
    """What is known of remote addresses. Time is an argument, in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._opening: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, address: str, now: float) -> bool:
        """Count a connection that is opened now; False: enough others are being opened. Raises Trouble while `address`
        is left alone."""
        known = self._known.get(address, _Known())
        if not self._answers(known, now):
            if known.failures and now < known.failed + _hold(known.failures):
                raise trouble.no_connection()
            if self._opening.get(address, 0) >= (1 if known.failures else AT_ONCE):
                return False
        self._opening[address] = self._opening.get(address, 0) + 1
        return True

    def end(self, address: str, answered: bool | None, now: float) -> None:
        """It is open, or it is not: `answered` is False when nothing came in time, None when it was refused at once."""
        self._opening[address] -= 1
        if not self._opening[address]:
            del self._opening[address]
        if answered is None:
            return
        known = self._known.pop(address, None) or _Known()
        if answered:
            known = _Known(answered=now)
        else:
            known = _Known(None, known.failures + 1, now)
        self._known[address] = known
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def patience(self, address: str, timeouts: Timeouts, now: float) -> Timeouts:
        """`timeouts`, with less for connection and greeting unless `address` answered lately."""
        known = self._known.get(address, _Known())
        if self._answers(known, now):
            return timeouts
        factor = 2 ** min(known.failures, 10)
        return replace(
            timeouts, connect=min(timeouts.connect, FIRST_CONNECT * factor),
            greeting=min(timeouts.greeting, FIRST_GREETING * factor),
        )  # fmt: skip

    def is_silent(self, address: str) -> bool:
        """The last connection to `address` got no answer in time."""
        known = self._known.get(address)
        return known is not None and known.failures > 0

    def failed_since(self, address: str, since: float) -> bool:
        """A connection to `address` got no answer since then."""
        return self.is_silent(address) and self._known[address].failed >= since

    @staticmethod
    def _answers(known: _Known, now: float) -> bool:
        return known.answered is not None and now - known.answered < LATELY


def _hold(failures: int) -> float:
    return min(FIRST_HOLD * 2.0 ** min(failures - 1, 10), LONGEST_HOLD)
