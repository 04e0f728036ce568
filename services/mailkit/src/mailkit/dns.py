"""DNS lookups with a cache of parsed results, one error taxonomy and one query per question at a time.

dnspython's own cache still walks every answer (0.2 ms); this one keeps tuples. Production wants a validating resolver on
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
import dns.nameserver
import dns.rdatatype
import dns.resolver

from mailkit.address import BadAddress, normalise_domain
from mailkit.errors import ConfigError

MIN_TTL, MAX_TTL = 30.0, 86400.0
"""Bounds on how long an answer is kept, seconds."""
MAX_NEGATIVE_TTL = 900.0
"""The SOA's minimum counts for "no such name" and "no such type" (RFC 2308 5), up to this."""
CACHE_ENTRIES = 50_000


class DnsError(Exception):
    """A lookup without an answer; the message is one sentence for the log."""


class NoSuchName(DnsError):
    """NXDOMAIN, or text that can be no name in DNS: the name does not exist."""


class NoRecord(DnsError):
    """The name exists and has no record of this type."""


class TemporaryDnsError(DnsError):
    """SERVFAIL, REFUSED, no answer in time, no server reachable: ask again later (4.4.3)."""


class Existence(Enum):
    """Whether mail could come from a domain (S16)."""

    yes = "yes"
    no = "no"
    temporary = "temporary"


@dataclass(frozen=True, slots=True, order=True)
class MX:
    """One mail exchanger; `host` is lower-case without a trailing dot, "" in a null MX (RFC 7505)."""

    preference: int
    host: str


class Resolver:
    """Asks `servers` (`host:port` each; empty: the system's) and remembers. One per process and event loop."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        timeout: float = 3.0,
        lifetime: float = 10.0,
        min_ttl: float = MIN_TTL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout` is for one server's answer, `lifetime` for a question as a whole, in seconds."""
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [_nameserver(server) for server in servers]
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._min_ttl = min_ttl
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[float, tuple[Any, ...] | DnsError]] = {}
        self._asking: dict[tuple[str, str], asyncio.Future[tuple[Any, ...]]] = {}

    async def mx(self, domain: str) -> tuple[MX, ...]:
        """The domain's mail exchangers, best first. Raises DnsError's kinds."""
        return await self.lookup(domain, "MX")

    async def a(self, host: str) -> tuple[str, ...]:
        """IPv4 addresses. Raises DnsError's kinds."""
        return await self.lookup(host, "A")

    async def aaaa(self, host: str) -> tuple[str, ...]:
        """IPv6 addresses. Raises DnsError's kinds."""
        return await self.lookup(host, "AAAA")

    async def txt(self, name: str) -> tuple[bytes, ...]:
        """TXT records, the strings of each joined. Raises DnsError's kinds."""
        return await self.lookup(name, "TXT")

    async def addresses(self, host: str) -> tuple[str, ...]:
        """All addresses of `host`, IPv6 first. One family is enough when the other is in trouble.

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
        """Whether `domain` can be found in DNS: it has an MX or an address (S16). A null MX is an existing domain."""
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
        """The parsed records, from the cache or by one query shared by all who ask meanwhile. Raises DnsError's kinds."""
        if name != name.strip() or not name.isprintable():
            raise NoSuchName(f"{name!r} is not a domain name")  # S16: "a space at the end of the address"
        try:
            name = normalise_domain(name)
        except BadAddress as error:
            raise NoSuchName(str(error)) from None
        key = (name, rdtype)
        entry = self._cache.get(key)
        if entry is not None and entry[0] > self._clock():
            if isinstance(entry[1], DnsError):
                raise type(entry[1])(*entry[1].args)
            return entry[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(key))
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)  # one asker giving up does not take the answer from the others

    def _answered(self, key: tuple[str, str], done: asyncio.Future[tuple[Any, ...]]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen: every asker may have gone

    async def _ask(self, key: tuple[str, str]) -> tuple[Any, ...]:
        name, rdtype = key
        try:
            answer = await self._resolver.resolve(name + ".", rdtype, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            missing = NoSuchName(f"{name} does not exist in DNS")
            responses = list(error.kwargs.get("responses", {}).values())
            self._keep(key, missing, _negative_ttl(responses[-1]) if responses else 0.0)
            raise missing from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise TemporaryDnsError(f"{name} {rdtype}: {error or type(error).__name__}") from None
        if answer.rrset is None:
            empty = NoRecord(f"{name} has no {rdtype} record")
            self._keep(key, empty, _negative_ttl(answer.response))
            raise empty
        records = _parse(answer, rdtype)
        self._keep(key, records, max(self._min_ttl, min(MAX_TTL, answer.rrset.ttl)))
        return records

    def _keep(self, key: tuple[str, str], result: tuple[Any, ...] | DnsError, seconds: float) -> None:
        while len(self._cache) >= CACHE_ENTRIES:
            del self._cache[next(iter(self._cache))]  # the oldest written
        self._cache.pop(key, None)
        self._cache[key] = (self._clock() + seconds, result)


def _nameserver(server: str) -> dns.nameserver.Nameserver:
    """`host:port` or `[v6]:port`, port 53 when absent. Raises ConfigError."""
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
    """How long "no" may be remembered: the lesser of the SOA's TTL and minimum (RFC 2308 5); without a SOA not at all."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum, MAX_NEGATIVE_TTL))
    return 0.0
