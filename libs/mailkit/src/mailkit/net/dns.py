"""DNS lookups with a cache of parsed results, a small set of errors and one query per question at a time.

dnspython's own cache parses every answer again (0.2 ms); this one keeps tuples. Production needs a validating resolver on
the same machine or network.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress, normalise_domain
from mailkit.net.dns_cache import CACHE_BYTES, CACHE_ENTRIES, AnswerStore, Key

MIN_TTL, MAX_TTL = 30.0, 86400.0
"""Bounds of the time for which an answer is kept, in seconds."""
MAX_NEGATIVE_TTL = 900.0
"""Upper bound, in seconds, of the SOA's minimum, which applies to "no such name" and "no such type" (RFC 2308 5)."""


class DnsError(Exception):
    """Base of the errors of a lookup; the message is one sentence for the log."""


class NoSuchName(DnsError):
    """NXDOMAIN, or text that cannot be a name in DNS: the name does not exist."""


class NoRecord(DnsError):
    """The name exists and has no record of this type."""


class TemporaryDnsError(DnsError):
    """SERVFAIL, REFUSED, no answer in time, no server reachable: to be asked again later (4.4.3)."""


class Existence(Enum):
    """Whether mail could come from a domain (S16)."""

    yes = "yes"
    no = "no"
    temporary = "temporary"


@dataclass(frozen=True, slots=True, order=True)
class MX:
    """A mail exchanger. `host` is in lower case without a trailing dot, "" in a null MX (RFC 7505)."""

    preference: int
    host: str


class Resolver:
    """A caching resolver that asks `servers` (`host:port` each; empty: the system's). One per process and event loop."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        timeout: float = 3.0,
        lifetime: float = 10.0,
        min_ttl: float = MIN_TTL,
        entries: int = CACHE_ENTRIES,
        octets: int = CACHE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set `timeout` for one server's answer and `lifetime` for a question as a whole, in seconds.

        `entries`: answers that are kept, with `octets` of text; 0: none.
        """
        self._cache = AnswerStore(entries, octets, clock)
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [_nameserver(server) for server in servers]
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._min_ttl = min_ttl
        self._asking: dict[Key, asyncio.Future[tuple[Any, ...]]] = {}

    async def mx(self, domain: str) -> tuple[MX, ...]:
        """Return the domain's mail exchangers, most preferred first. Raises DnsError."""
        return await self.lookup(domain, "MX")

    async def a(self, host: str) -> tuple[str, ...]:
        """Return IPv4 addresses. Raises DnsError."""
        return await self.lookup(host, "A")

    async def aaaa(self, host: str) -> tuple[str, ...]:
        """Return IPv6 addresses. Raises DnsError."""
        return await self.lookup(host, "AAAA")

    async def txt(self, name: str) -> tuple[bytes, ...]:
        """Return TXT records, the strings of each joined. Raises DnsError."""
        return await self.lookup(name, "TXT")

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return all addresses of `host`, IPv6 first. One family is enough if the lookup of the other fails.

        Raises NoSuchName, NoRecord (neither family) or TemporaryDnsError.
        """
        results = await asyncio.gather(self.aaaa(host), self.a(host), return_exceptions=True)
        found: list[str] = []
        errors: list[DnsError] = []
        for result in results:
            if isinstance(result, DnsError):
                errors.append(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                found += result
        if found:
            return tuple(found)
        for kind in (TemporaryDnsError, NoRecord):
            for error in errors:
                if isinstance(error, kind):
                    raise error
        raise errors[0]

    async def sender_domain_exists(self, domain: str) -> Existence:
        """Return whether `domain` exists in DNS: it has an MX or an address (S16). A domain with a null MX exists."""
        try:
            await self.mx(domain)
            return Existence.yes
        except NoRecord:
            pass
        except NoSuchName:
            return Existence.no
        except TemporaryDnsError:
            return Existence.temporary
        try:
            await self.addresses(domain)
        except TemporaryDnsError:
            return Existence.temporary
        except DnsError:
            return Existence.no
        return Existence.yes

    async def lookup(self, name: str, rdtype: str) -> tuple[Any, ...]:
        """Return the parsed records, from the cache or by one query that concurrent callers share. Raises DnsError."""
        if name != name.strip() or not name.isprintable():
            raise NoSuchName(f"{name!r} is not a domain name")  # S16: "a space at the end of the address"
        try:
            name = normalise_domain(name)
        except BadAddress as error:
            raise NoSuchName(str(error)) from None
        return await self.verbatim(name, rdtype)

    async def verbatim(self, name: str, rdtype: str) -> tuple[Any, ...]:
        """Return the records of a name in ASCII without the dot at the end, whose labels may have any character. Raises DnsError."""
        key = (name.lower(), rdtype)
        known = self._cache.get(key)
        if known is not None:
            if isinstance(known, DnsError):
                raise type(known)(*known.args)
            found: tuple[Any, ...] = known
            return found
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(key))
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)  # one caller cancelled does not cancel the query of the others

    def _answered(self, key: Key, done: asyncio.Future[tuple[Any, ...]]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # retrieved, since every caller may have been cancelled

    async def _ask(self, key: Key) -> tuple[Any, ...]:
        name, rdtype = key
        try:
            asked = dns.name.Name([*(label.encode("ascii") for label in name.split(".")), b""])
            answer = await self._resolver.resolve(asked, rdtype, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            missing = NoSuchName(f"{name} does not exist in DNS")
            responses = list(error.kwargs.get("responses", {}).values())
            self._cache.keep(key, missing, _negative_ttl(responses[-1]) if responses else 0.0)
            raise missing from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise TemporaryDnsError(f"{name} {rdtype}: {error or type(error).__name__}") from None
        if answer.rrset is None:
            empty = NoRecord(f"{name} has no {rdtype} record")
            self._cache.keep(key, empty, _negative_ttl(answer.response))
            raise empty
        records = _parse(answer, rdtype)
        self._cache.keep(key, records, max(self._min_ttl, min(MAX_TTL, answer.rrset.ttl)))
        return records


def _nameserver(server: str) -> dns.nameserver.Nameserver:
    """Parse `host:port` or `[v6]:port`, port 53 if absent. Raises ConfigError."""
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = server, "53"  # a bare address, IPv6 included
    try:
        return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))
    except ValueError:
        raise ConfigError(f"POSTRIDER_DNS_SERVERS: {server!r} is not host:port") from None


def _parse(answer: dns.resolver.Answer, rdtype: str) -> tuple[Any, ...]:
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


def _negative_ttl(response: Any) -> float:
    """Return the TTL of a negative answer: the lesser of the SOA's TTL and minimum (RFC 2308 5), 0 without a SOA."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum, MAX_NEGATIVE_TTL))
    return 0.0
