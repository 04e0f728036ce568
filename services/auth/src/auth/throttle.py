"""When wrong passwords slow a login's answer, and when passwords are no longer looked at (docs/decisions/0039, 0049). Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

#: Other passwords in their hash that count for a counter's key.
UnderWay = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Keys:
    """A login's counters: of the account from this `network` (None: no address is known), and of the account from all
    networks that are not its own."""

    account: str
    network: str | None

    def of(self, row: asyncpg.Record) -> tuple[str, ...]:
        """Those that a wrong password counts for."""
        keys = (self.account,) if row["network_seen"] is None else ()
        return keys if self.network is None else (*keys, self.network)


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many wrong passwords are looked at per window: of an account from one network, of an account from all networks
    that are not its own, and of a client address. `longest`: the greatest delay (seconds)."""

    per_account: int
    elsewhere: int
    per_address: int
    window: timedelta
    longest: float

    def wait(self, row: asyncpg.Record, keys: Keys, under_way: UnderWay, now: datetime) -> int:
        """Seconds until this try may be made; 0: now."""
        waits = [0]
        here, strangers = _counted(row, keys, under_way)
        if here >= self.per_account:
            waits.append(self._left(row["network_window"], now))
        if strangers >= self.elsewhere:
            waits.append(self._left(row["account_window"], now))
        if row["address_failures"] >= self.per_address:
            waits.append(self._left(row["address_window"], now))
        return max(waits)

    def delay(self, row: asyncpg.Record, keys: Keys, under_way: UnderWay) -> float:
        """Seconds by which the answer to a try that is made comes later, in proportion to what has failed already."""
        here, strangers = _counted(row, keys, under_way)
        share: float = max(
            here / self.per_account, strangers / self.per_account, row["address_failures"] / self.per_address
        )
        return round(self.longest * min(1.0, share), 1)

    def _left(self, started: datetime | None, now: datetime) -> int:
        if started is None:
            return 1
        return max(1, math.ceil((started + self.window - now).total_seconds()))


def _counted(row: asyncpg.Record, keys: Keys, under_way: UnderWay) -> tuple[int, int]:
    """Wrong passwords of the account: from this network, and from networks not its own where this is one of them."""
    here = row["network_failures"] + (under_way(keys.network) if keys.network is not None else 0)
    return here, row["account_failures"] + under_way(keys.account) if row["network_seen"] is None else 0
