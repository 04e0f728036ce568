"""Mail addresses, domains and client addresses, normalised once and compared literally (spec "Names", decision 9)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

import idna

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Limit of an address in octets. RFC 5321 4.5.3.1.3: a path is at most 256 octets with its angle brackets. The 64 octets of
#: a local part (4.5.3.1.1) are not enforced: VERP, SRS and ticket systems write longer ones.
LONGEST = 254

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_LOCAL = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]{1,254}\Z")


class BadAddress(ValueError):
    """The text is not a mail address or a domain; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address. `domain` is normalised; `local` is as written (RFC 5321 2.4)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


def normalise_domain(text: str) -> str:
    """Return `text` in lower case, without a trailing dot, as A-labels (IDNA 2008); address literals keep their brackets.

    Raises BadAddress.
    """
    name = text.strip().rstrip(".")
    if name.startswith("[") and name.endswith("]"):
        return _literal(name)
    name = name.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise BadAddress(f"{text!r} is not a domain name") from error
    if len(name) > 253 or not name or not all(_LABEL.match(label) for label in name.split(".")):
        raise BadAddress(f"{text!r} is not a domain name")
    return name


def _literal(name: str) -> str:
    """Return `[192.0.2.1]` or `[IPv6:2001:db8::1]` in canonical form (RFC 5321 4.1.3). Raises BadAddress."""
    inner = name[1:-1]
    if inner.lower().startswith("ipv6:"):
        inner = inner[5:]
    try:
        ip = ipaddress.ip_address(inner)
    except ValueError as error:
        raise BadAddress(f"{name!r} is not an address literal") from error
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"


def parse_address(text: str) -> Address:
    """Parse `local@domain`, the text between the angle brackets of MAIL and RCPT without a source route.

    The domain is what follows the last `@`; the local part never re-routes (spec "No route tricks"). Raises BadAddress.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise BadAddress(f"{text!r} has no domain")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise BadAddress(f"the address is longer than {LONGEST} octets")
    if local.startswith('"') and local.endswith('"') and len(local) >= 2:
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
        if not local or any(ord(c) < 32 or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in local):
            raise BadAddress(f"{text!r} is not a mail address")
    elif not _LOCAL.match(local):
        raise BadAddress(f"{text!r} is not a mail address")
    return Address(local, normalise_domain(domain))


def parse_login(text: str) -> Address:
    """Parse a login name, `user%domain` or `user@domain` (P1); both parts are lower-cased.

    Raises BadAddress.
    """
    if "@" not in text and "%" in text:
        local, _, domain = text.rpartition("%")
        text = f"{local}@{domain}"
    address = parse_address(text.strip())
    return Address(address.local.lower(), address.domain)


def peer_address(text: str) -> str:
    """Return a client's address in canonical form: IPv4-mapped becomes IPv4, a zone is dropped (decision 9).

    Raises BadAddress.
    """
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError as error:
        raise BadAddress(f"{text!r} is not an IP address") from error
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip)


def client_host(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address, which one host owns as a whole."""
    return address if ":" not in address else str(_network(address, 64))


def client_network(address: str) -> str:
    """Return the network of a client that often has one owner: /24 of IPv4, /64 of IPv6."""
    return str(_network(address, 64 if ":" in address else 24))


def _network(address: str, length: int) -> IPNetwork:
    return ipaddress.ip_network(f"{address}/{length}", strict=False)


class Networks:
    """A set of networks in CIDR form; `address in networks` is whether one contains it. Raises BadAddress."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        try:
            self.networks: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(n.strip()) for n in networks if n.strip())
        except ValueError as error:
            raise BadAddress(str(error)) from error

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            return False
        ip = ipaddress.ip_address(address)
        return any(ip.version == net.version and ip in net for net in self.networks)

    def __bool__(self) -> bool:
        return bool(self.networks)
