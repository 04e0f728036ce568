"""The rules for wrong passwords: when answers to logins are delayed, and when logins are refused without a check.

Pure functions (docs/decisions/0039, 0049).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailkit.postgres.rows import Row

#: Returns the number of other passwords being checked that count for a counter's key.
UnderWay = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class CounterKeys:
    """The keys of a login's counters.

    `account`: of the account from all networks that are not its own. `network`: of the account from this network; None if
    the client's address is not known.
    """

    account: str
    network: str | None

    def of(self, row: Row) -> tuple[str, ...]:
        """Return the keys that a wrong password counts for."""
        keys = (self.account,) if row["network_seen"] is None else ()
        return keys if self.network is None else (*keys, self.network)


@dataclass(frozen=True, slots=True)
class Throttle:
    """The limits of wrong passwords per window.

    Of an account from one network, of an account from all networks that are not its own, and of a client address. `longest`:
    the longest delay (seconds).
    """

    per_account: int
    elsewhere: int
    per_address: int
    window: timedelta
    longest: float

    def wait(self, row: Row, keys: CounterKeys, under_way: UnderWay, now: datetime) -> int:
        """Return the seconds until this attempt may be made; 0: now."""
        waits = [0]
        here, strangers = _counted(row, keys, under_way)
        if here >= self.per_account:
            waits.append(self._left(row["network_window"], now))
        if strangers >= self.elsewhere:
            waits.append(self._left(row["account_window"], now))
        if row["address_failures"] >= self.per_address:
            waits.append(self._left(row["address_window"], now))
        return max(waits)

    def delay(self, row: Row, keys: CounterKeys, under_way: UnderWay) -> float:
        """Return the delay of the answer to an allowed attempt (seconds), in proportion to the failures so far."""
        here, strangers = _counted(row, keys, under_way)
        share: float = max(
            here / self.per_account, strangers / self.per_account, row["address_failures"] / self.per_address
        )
        return round(self.longest * min(1.0, share), 1)

    def _left(self, started: datetime | None, now: datetime) -> int:
        if started is None:
            return 1
        return max(1, math.ceil((started + self.window - now).total_seconds()))


def _counted(row: Row, keys: CounterKeys, under_way: UnderWay) -> tuple[int, int]:
    """Return the account's wrong passwords from this network, and from all networks not its own if this is one (else 0)."""
    here = row["network_failures"] + (under_way(keys.network) if keys.network is not None else 0)
    return here, row["account_failures"] + under_way(keys.account) if row["network_seen"] is None else 0
