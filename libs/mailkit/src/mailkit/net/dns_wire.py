"""What the objects of dnspython mean: servers of a setting, records, how long an absence may be kept."""

import ipaddress
from dataclasses import dataclass
from typing import Any

import dns.rdatatype
import dns.resolver

from mailkit.errors import ConfigError
from mailkit.net.dns_server import BoundedNameserver

_DOCKER = "127.0.0.11"
MAX_NEGATIVE_TTL = 900.0
"""Upper bound, in seconds, of the SOA's minimum, which applies to "no such name" and "no such type" (RFC 2308 5)."""


@dataclass(frozen=True, slots=True, order=True)
class MX:
    """A mail exchanger. `host` is in lower case without a trailing dot, "" in a null MX (RFC 7505)."""

    preference: int
    host: str


def nameserver(server: str) -> BoundedNameserver:
    """Parse `host:port` or `[v6]:port`, port 53 if absent. Raises ConfigError."""
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = server, "53"  # a bare address, IPv6 included
    try:
        return BoundedNameserver(host.strip("[]"), int(port))
    except ValueError:
        raise ConfigError(f"POSTRIDER_DNS_SERVERS: {server!r} is not host:port") from None


def is_loopback(server: Any) -> bool:
    """Return whether a server, an address or an object with one, is on this machine; Docker's only passes on what others answer."""
    address = str(getattr(server, "address", server)).partition("%")[0]
    try:
        return address != _DOCKER and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def parse(answer: dns.resolver.Answer, rdtype: str) -> tuple[Any, ...]:
    """Return the records: MX by preference, addresses as text, TXT with the strings of each joined, others as in a zone file."""
    assert answer.rrset is not None
    if rdtype == "MX":
        return tuple(
            sorted(
                MX(rr.preference, rr.exchange.to_text(omit_final_dot=True).lower().rstrip(".")) for rr in answer.rrset
            )
        )
    if rdtype in ("A", "AAAA"):
        return tuple(rr.address for rr in answer.rrset)
    if rdtype == "TXT":
        return tuple(b"".join(rr.strings) for rr in answer.rrset)
    return tuple(rr.to_text() for rr in answer.rrset)


def negative_ttl(response: Any) -> float:
    """Return the TTL of a negative answer: the lesser of the SOA's TTL and minimum (RFC 2308 5), 0 without a SOA."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum, MAX_NEGATIVE_TTL))
    return 0.0
