"""The unicast addresses of the public Internet: the IANA special-purpose registries as tables.

The tables of Python's `ipaddress` differ between its versions; these do not (docs/decisions/0037). State of the
registries (iana-ipv4-special-registry, iana-ipv6-special-registry): 2026-11.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

#: Networks that are not globally reachable by the IPv4 registry, and multicast (RFC 5771).
_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network", RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # shared address space, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link local, RFC 3927
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890; its anycast exceptions serve no mail
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relay anycast, deprecated, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, RFC 1112, and limited broadcast, RFC 919
    )
)
#: The range of global unicast addresses (RFC 4291 2.4) …
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: … and the networks in it that are not globally reachable by the IPv6 registry.
_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001:2::/48",  # benchmarking, RFC 5180
        "2001:10::/28",  # ORCHID, deprecated, RFC 4843
        "2001:db8::/32",  # documentation, RFC 3849
        "3fff::/20",  # documentation, RFC 9637
    )
)
#: IETF protocol assignments (RFC 2928): not globally reachable, except for the networks in _IETF_REACHABLE.
_IETF = IPv6Network("2001::/23")
_IETF_REACHABLE = tuple(
    IPv6Network(network)
    for network in (
        "2001::/32",  # Teredo, RFC 4380: judged by the addresses in it
        "2001:1::1/128",  # port control protocol anycast, RFC 7723
        "2001:1::2/128",  # TURN anycast, RFC 8155
        "2001:1::3/128",  # DNS-SD service registration anycast, RFC 9665
        "2001:3::/32",  # AMT, RFC 7450
        "2001:4:112::/48",  # AS112-v6, RFC 7535
        "2001:20::/28",  # ORCHIDv2, RFC 7343
        "2001:30::/28",  # drone remote identification, RFC 9374
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 2.5.5.2
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 2.1
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")  # RFC 8215: any prefix length of RFC 6052 2.2 inside it
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056
_TEREDO = IPv6Network("2001::/32")  # RFC 4380 4: server, and client with its bits inverted


def is_public(ip: Address) -> bool:
    """Return whether `ip`, and every IPv4 address embedded in it, is a unicast address of the public Internet."""
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _IPV4)
    if not all(is_public(inner) for inner in embedded(ip)):
        return False
    if ip in _MAPPED or ip in _NAT64:
        return True
    if ip in _IETF:
        return any(ip in network for network in _IETF_REACHABLE) and not any(ip in network for network in _IPV6)
    return ip in _GLOBAL_UNICAST and not any(ip in network for network in _IPV6)


def embedded(ip: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that `ip` leads to, if it is a form of IPv4 in IPv6."""
    if isinstance(ip, IPv4Address):
        return
    bits = int(ip)
    if ip in _MAPPED or ip in _COMPATIBLE or ip in _NAT64:
        yield _low(bits)
    elif ip in _NAT64_LOCAL:
        yield _low(bits)  # a /96 inside it
        yield _low(bits >> 24)  # RFC 6052 2.2: a /64,
        yield _low(bits >> 40 & 0xFF000000 | bits >> 32 & 0xFFFFFF)  # a /56,
        yield _low(bits >> 48 & 0xFFFF0000 | bits >> 40 & 0xFFFF)  # and the /48 itself, around the octet "u"
    elif ip in _SIX_TO_FOUR:
        yield _low(bits >> 80)
    elif ip in _TEREDO:
        yield _low(bits >> 64)
        yield _low(~bits)


def _low(bits: int) -> IPv4Address:
    return IPv4Address(bits & 0xFFFFFFFF)
