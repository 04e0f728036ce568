"""The remote addresses that answered lately, and the limits for trying the others (docs/decisions/0036).

Many domains may be served by one address. While it has not answered, few connections to it are opened at once, each with
shorter time-outs; after a time-out it is not tried for a while, as with qmail's tcpto.
"""

from dataclasses import dataclass, replace

from queue_worker.couriers import trouble
from queue_worker.couriers.models import Timeouts

#: Seconds for which an address that answered is expected to answer again.
LATELY = 600.0
#: Connections being opened at once to an address that did not answer lately; one if it failed to answer.
AT_ONCE = 5
#: Time-outs in seconds for connection and greeting when an address did not answer lately; doubled with each failure.
FIRST_CONNECT, FIRST_GREETING = 10.0, 30.0
#: Seconds for which an address is not tried after its first failure, doubled with each further one, and the limit.
FIRST_HOLD, LONGEST_HOLD = 30.0, 300.0
#: Most addresses remembered.
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
        """Count a connection that is opened now; False if the limit of connections is being opened already.

        Raises Trouble while `address` is not to be tried.
        """
        known = self._known.get(address, _Known())
        if not self._answers(known, now):
            if known.failures and now < known.failed + _hold(known.failures):
                raise trouble.no_connection()
            if self._opening.get(address, 0) >= (1 if known.failures else AT_ONCE):
                return False
        self._opening[address] = self._opening.get(address, 0) + 1
        return True

    def end(self, address: str, answered: bool | None, now: float) -> None:
        """Count a connection as opened or not: `answered` is False if nothing came in time, None if it was refused."""
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
        """Return `timeouts`, with shorter ones for connection and greeting unless `address` answered lately."""
        known = self._known.get(address, _Known())
        if self._answers(known, now):
            return timeouts
        factor = 2 ** min(known.failures, 10)
        return replace(
            timeouts,
            connect=min(timeouts.connect, FIRST_CONNECT * factor),
            greeting=min(timeouts.greeting, FIRST_GREETING * factor),
        )

    def is_silent(self, address: str) -> bool:
        """Return whether the last connection to `address` got no answer in time."""
        known = self._known.get(address)
        return known is not None and known.failures > 0

    def failed_since(self, address: str, since: float) -> bool:
        """Return whether a connection to `address` got no answer since `since`."""
        return self.is_silent(address) and self._known[address].failed >= since

    @staticmethod
    def _answers(known: _Known, now: float) -> bool:
        return known.answered is not None and now - known.answered < LATELY


def _hold(failures: int) -> float:
    return min(FIRST_HOLD * 2.0 ** min(failures - 1, 10), LONGEST_HOLD)
