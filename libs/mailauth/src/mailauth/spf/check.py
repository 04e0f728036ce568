"""The check_host function (RFC 7208 4): its order, its limits, its results."""

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Literal

from mailauth.dns import Dns, DnsTrouble, ascii_domain, is_within, names, texts
from mailauth.spf import macros, record
from mailauth.spf.lookups import Lookups, TooMany
from mailauth.spf.macros import BadRecord, IPAddress, MacroString, NoValue, Values
from mailauth.spf.record import Directive, SpfRecord

Result = Literal["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"]
Identity = Literal["mailfrom", "helo"]

#: Seconds that a check may take (RFC 7208 4.6.4); after them it is a temperror.
SECONDS = 20.0
#: Characters of the text that exp= names, and of what it expands to; a longer one is not used.
MOST_EXPLANATION = 1024
_NOWHERE = ("", "", "")


@dataclass(frozen=True, slots=True)
class SpfResult:
    """A result and its cause.

    `domain` is what was checked. `term`, in `record` of `record_domain`, decided; empty where none did. `problem` says what is
    wrong after none, temperror and permerror. `explanation` is the text that the domain's owner gives for a fail: printable
    ASCII, at most MOST_EXPLANATION characters.
    """

    result: Result
    identity: Identity
    domain: str
    problem: str = ""
    record: str = ""
    record_domain: str = ""
    term: str = ""
    explanation: str = ""


async def check_host(
    ip: str,
    mail_from: str,
    helo: str,
    resolver: Dns,
    *,
    now: float,
    receiver: str = "unknown",
    seconds: float = SECONDS,
) -> SpfResult:
    """Check MAIL FROM, or HELO where `mail_from` is empty (RFC 7208 2.4).

    `ip`: the client's address; ValueError if it is none. `now`: seconds since 1970, and `receiver`: this host's name, are for
    macros. All else is a result: trouble of the DNS, or more than `seconds`, is temperror.
    """
    address = client_address(ip)
    local, _, domain = mail_from.rpartition("@") if mail_from else ("", "", helo)
    identity: Identity = "mailfrom" if mail_from else "helo"
    checked = ascii_domain(domain)
    if checked is None or "." not in checked:  # RFC 7208 4.3
        return SpfResult("none", identity, domain, "the domain is not a name with several labels")
    values = Values(address, local or "postmaster", checked, helo, receiver, now)
    check = _Check(resolver, values, identity)
    try:
        async with asyncio.timeout(seconds):
            return await check.run()
    except TimeoutError:
        return check.result("temperror", f"no result within {seconds:g} s")


def client_address(text: str) -> IPAddress:
    """Return the address; one that is mapped into IPv6 as IPv4, without a zone. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class _Check:
    """One check: its limits, and the record and term that are being evaluated."""

    def __init__(self, resolver: Dns, values: Values, identity: Identity) -> None:
        self._lookups = Lookups(resolver, values.ip)
        self._values = values
        self._identity: Identity = identity
        self._at = _NOWHERE

    def result(self, result: Result, problem: str = "", explanation: str = "") -> SpfResult:
        """Return a result with the record and term that are being evaluated as its cause."""
        return SpfResult(result, self._identity, self._values.domain, problem, *self._at, explanation)

    async def run(self) -> SpfResult:
        """Return the result of the domain."""
        try:
            return await self._evaluate(self._values.domain)
        except (TooMany, BadRecord) as error:
            return self.result("permerror", str(error))
        except DnsTrouble as error:
            return self.result("temperror", str(error) or "the DNS gave no answer")

    async def _evaluate(self, domain: str, *, redirected: bool = False) -> SpfResult:
        """Return the result of `domain`'s record; it calls itself at most as often as terms may ask the DNS."""
        found = await self._record(domain)
        if found is None:
            if redirected:
                raise BadRecord(f"{domain} has no SPF record")
            return self.result("none", f"{domain} has no SPF record")
        for directive in found.directives:
            self._at = found.text, domain, directive.text
            try:
                if await self._matches(directive, domain):
                    self._at = found.text, domain, directive.text  # `include` was elsewhere
                    return self.result(directive.result, "", await self._explanation(directive, found, domain))
            except NoValue:
                continue  # RFC 8616 4
        if found.redirect is None or any(each.mechanism == "all" for each in found.directives):
            self._at = found.text, domain, ""
            return self.result("neutral")
        self._at = found.text, domain, found.redirect[0]
        self._lookups.count_term()
        try:
            target = await self._expand(found.redirect[1], domain)
        except NoValue:
            raise BadRecord("the target of redirect is no name") from None
        return await self._evaluate(target, redirected=True)

    async def _record(self, domain: str) -> SpfRecord | None:
        before = self._at
        self._at = "", domain, ""
        found = [each for each in texts(await self._lookups.ask(domain, "TXT", void=False)) if record.is_spf(each)]
        if not found:
            self._at = before if before is not _NOWHERE else self._at
            return None
        self._at = found[0].decode("ascii", "replace"), domain, ""
        if len(found) > 1:
            raise BadRecord(f"{domain} has several SPF records")
        return record.parse(found[0])

    async def _matches(self, directive: Directive, domain: str) -> bool:
        """Return whether a mechanism matches (RFC 7208 5). Raises NoValue, TooMany, BadRecord and DnsTrouble."""
        ip, lookups = self._values.ip, self._lookups
        if directive.mechanism == "all":
            return True
        if directive.network is not None:
            return ip.version == directive.network.version and ip in directive.network
        lookups.count_term()
        target = domain if directive.target is None else await self._expand(directive.target, domain)
        match directive.mechanism:
            case "include":
                return await self._includes(target)
            case "a":
                return any(self._is_near(each, directive) for each in await lookups.addresses(target))
            case "mx":
                for host in await lookups.mail_hosts(target):
                    if any(self._is_near(each, directive) for each in await lookups.addresses(host)):
                        return True
                return False
            case "ptr":
                return any(is_within(each, target.lower()) for each in await lookups.validated_names())
        return bool(names(await lookups.ask(target, "A")))  # exists

    async def _includes(self, target: str) -> bool:
        included = await self._evaluate(target)
        if included.result == "none":
            raise BadRecord(f"{target} has no SPF record")
        return included.result == "pass"

    def _is_near(self, address: IPAddress, directive: Directive) -> bool:
        ip = self._values.ip
        length = directive.length4 if address.version == 4 else directive.length6
        return address.version == ip.version and (int(address) ^ int(ip)) >> (ip.max_prefixlen - length) == 0

    async def _expand(self, text: MacroString, domain: str) -> str:
        validated = await self._lookups.validated_name(domain) if macros.uses(text, "p") else ""
        return macros.expand_name(text, domain, validated, self._values)

    async def _explanation(self, directive: Directive, found: SpfRecord, domain: str) -> str:
        """Return the owner's text for a fail, or nothing if anything about it is wrong (RFC 7208 6.2)."""
        if directive.result != "fail" or found.explanation is None:
            return ""
        try:
            target = await self._expand(found.explanation, domain)
            (octets,) = texts(await self._lookups.ask(target, "TXT", void=False))
            if len(octets) > MOST_EXPLANATION:
                return ""
            text = macros.parse(octets.decode("ascii"), explanation=True)
            validated = await self._lookups.validated_name(domain) if macros.uses(text, "p") else ""
            said = macros.expand(text, domain, validated, self._values, MOST_EXPLANATION)
        except (DnsTrouble, BadRecord, NoValue, ValueError):  # no or several records, not ASCII
            return ""
        return said if len(said) <= MOST_EXPLANATION and said.isascii() and said.isprintable() else ""
