"""Addresses of clients on internal listeners: apart from those that any client has elsewhere (docs/decisions/0103)."""

import hashlib
import ipaddress

#: The prefix of such addresses. Nothing is reached from it (RFC 6666), so no client of another listener has one.
PREFIX = ipaddress.IPv6Network("100::/64")


def internal_address(address: str) -> str:
    """Return the address under which the client at `address`, a normalised one, is known on an internal listener."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return str(PREFIX[int(ip)])
    return str(PREFIX[int.from_bytes(hashlib.sha256(ip.packed).digest()[:8], "big") | 1 << 63])


def is_internal(address: str) -> bool:
    """Return True if `address`, a normalised one, is of an internal listener."""
    ip = ipaddress.ip_address(address)
    return isinstance(ip, ipaddress.IPv6Address) and ip in PREFIX
