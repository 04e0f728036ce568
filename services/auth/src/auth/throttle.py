"""When failed logins stop being looked at (decision 15, docs/decisions/0039). Pure."""

import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

import asyncpg


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many failures an account and a client address may have per window.

    The account's row is its counter of the client's network where it has logged in well from there lately, else the one of
    all other networks together."""

    per_account: int
    per_address: int
    window: timedelta

    def wait(self, row: asyncpg.Record, under_way: int, now: datetime) -> int:
        """Seconds until this try may be made; 0: now. `under_way`: other passwords in their hash for this account."""
        waits = [0]
        if row["account_failures"] + under_way >= self.per_account:
            waits.append(self._left(row["account_window"], now))
        if row["address_failures"] >= self.per_address:
            waits.append(self._left(row["address_window"], now))
        return max(waits)

    def _left(self, started: datetime | None, now: datetime) -> int:
        if started is None:
            return 1
        return max(1, math.ceil((started + self.window - now).total_seconds()))


def counted_address(address: str) -> str:
    """The key of an address's failures: one IPv6 customer has a /64 to draw from."""
    ip = ipaddress.ip_address(address)
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


def client_network(address: str) -> str:
    """The network that a client is known by: its /24, or /64."""
    ip = ipaddress.ip_address(address)
    return str(ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
