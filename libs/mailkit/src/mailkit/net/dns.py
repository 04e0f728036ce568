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
import dns.flags
import dns.name
import dns.resolver

from mailkit.mail.address import BadAddress, normalise_domain
from mailkit.net.dns_cache import CACHE_BYTES, CACHE_ENTRIES, AnswerStore, Key
from mailkit.net.dns_wire import MX as MX
from mailkit.net.dns_wire import is_loopback, nameserver, negative_ttl, parse

MIN_TTL, MAX_TTL = 30.0, 86400.0
"""Bounds of the time for which an answer is kept, in seconds."""


class DnsError(Exception):
    """Base of the errors of a lookup; the message is one sentence for the log."""

    secure = False
    """Whether DNSSEC proves the absence, as `DnsAnswer.secure`."""


class NoSuchName(DnsError):
    """NXDOMAIN, or text that cannot be a name in DNS: the name does not exist."""


class NoRecord(DnsError):
    """The name exists and has no record of this type."""


class TemporaryDnsError(DnsError):
    """SERVFAIL, REFUSED, no answer in time, no server reachable: to be asked again later (4.4.3)."""


class QuestionGivenUp(TemporaryDnsError):
    """`Resolver.give_up` ended the question."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The parsed records of one question."""

    records: tuple[Any, ...]
    secure: bool = False
    """Whether a resolver that is trusted says that DNSSEC proves all of it, CNAMEs included (AD, RFC 6840 5.7)."""
    name: str = ""
    """The name that the CNAMEs lead to, in lower case without a trailing dot."""


class Existence(Enum):
    """Whether mail could come from a domain (S16)."""

    yes = "yes"
    no = "no"
    temporary = "temporary"


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
        dnssec: bool | None = None,
    ) -> None:
        """Set `timeout` for one server's answer and `lifetime` for a question as a whole, in seconds.

        `entries`: answers that are kept, with `octets` of text; 0: none. `dnssec`: whether the servers validate and nobody can change
        what they answer (RFC 7672 2.1.1); None: if all of them have loopback addresses.
        """
        self._cache = AnswerStore(entries, octets, clock)
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        system = [f"[{each}]:{self._resolver.port}" for each in self._resolver.nameservers if isinstance(each, str)]
        self._resolver.nameservers = [nameserver(server) for server in servers or system]
        self.validates = all(map(is_loopback, self._resolver.nameservers)) if dnssec is None else dnssec
        if self.validates:
            self._resolver.set_flags(dns.flags.RD | dns.flags.AD)
        self._resolver.timeout = timeout
        self._resolver.lifetime = lifetime
        self._min_ttl = min_ttl
        self._asking: dict[Key, asyncio.Future[DnsAnswer]] = {}
        self._limits: dict[Key, asyncio.Timeout] = {}

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
        """Return the parsed records of `answer`. Raises DnsError."""
        return (await self.answer(name, rdtype)).records

    async def answer(self, name: str, rdtype: str) -> DnsAnswer:
        """Return an answer, from the cache or by one query that concurrent callers share. Raises DnsError."""
        if name != name.strip() or not name.isprintable():
            raise NoSuchName(f"{name!r} is not a domain name")  # S16: "a space at the end of the address"
        try:
            name = normalise_domain(name)
        except BadAddress as error:
            raise NoSuchName(str(error)) from None
        return await self._known_or_asked(name, rdtype)

    def known(self, name: str, rdtype: str) -> tuple[Any, ...] | None:
        """Return what `verbatim` would without a question; None if it has to ask. Raises NoSuchName and NoRecord."""
        found = self._known((name.lower(), rdtype))
        return None if found is None else found.records

    async def verbatim(self, name: str, rdtype: str) -> tuple[Any, ...]:
        """Return the records of a name in ASCII without the dot at the end, whose labels may have any character. Raises DnsError."""
        return (await self._known_or_asked(name, rdtype)).records

    def give_up(self, name: str, rdtype: str) -> None:
        """End a question that is under way: whoever waits for it gets QuestionGivenUp. Without one, do nothing."""
        limit = self._limits.get((name.lower(), rdtype))
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())

    def _known(self, key: Key) -> DnsAnswer | None:
        found: DnsAnswer | DnsError | None = self._cache.get(key)
        if isinstance(found, DnsError):
            again = type(found)(*found.args)
            again.secure = found.secure
            raise again
        return found

    async def _known_or_asked(self, name: str, rdtype: str) -> DnsAnswer:
        key = (name.lower(), rdtype)
        known = self._known(key)
        if known is not None:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(key))
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)  # one caller cancelled does not cancel the query of the others

    def _answered(self, key: Key, done: asyncio.Future[DnsAnswer]) -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # retrieved, since every caller may have been cancelled

    async def _ask(self, key: Key) -> DnsAnswer:
        name, rdtype = key
        limit = self._limits[key] = asyncio.timeout(None)
        try:
            asked = dns.name.Name([*(label.encode("ascii") for label in name.split(".")), b""])
            async with limit:
                answer = await self._resolver.resolve(asked, rdtype, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            missing = NoSuchName(f"{name} does not exist in DNS")
            responses = list(error.kwargs.get("responses", {}).values())
            missing.secure = bool(responses) and self._is_secure(responses[-1])
            self._cache.keep(key, missing, negative_ttl(responses[-1]) if responses else 0.0)
            raise missing from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            if limit.expired():
                raise QuestionGivenUp(f"{name} {rdtype}: given up for other questions") from None
            raise TemporaryDnsError(f"{name} {rdtype}: {error or type(error).__name__}") from None
        finally:
            del self._limits[key]
        if answer.rrset is None:
            empty = NoRecord(f"{name} has no {rdtype} record")
            empty.secure = self._is_secure(answer.response)
            self._cache.keep(key, empty, negative_ttl(answer.response))
            raise empty
        canonical = answer.canonical_name.to_text(omit_final_dot=True).lower()
        found = DnsAnswer(parse(answer, rdtype), self._is_secure(answer.response), canonical)
        self._cache.keep(key, found, max(self._min_ttl, min(MAX_TTL, answer.rrset.ttl)))
        return found

    def _is_secure(self, response: Any) -> bool:
        return self.validates and bool(response.flags & dns.flags.AD)
