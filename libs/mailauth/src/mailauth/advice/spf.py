"""SPF of the domain: one record, which can be evaluated and permits the addresses that its mail leaves from (RFC 7208)."""

import asyncio

from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord, MailService
from mailauth.dns import DnsTrouble, texts
from mailauth.spf import record
from mailauth.spf.check import SpfResult, check_host
from mailauth.spf.macros import BadRecord

#: Addresses of the service that are checked.
MOST_ADDRESSES = 16
#: An address of nobody (RFC 5737): all terms of a record are evaluated for it, unless the record permits everybody.
_NOBODY = "192.0.2.254"
_EVERYBODY = ("all", "+all", "ip4:0.0.0.0/0", "+ip4:0.0.0.0/0")


def wanted_spf(domain: str, service: MailService) -> ExpectedRecord:
    """Return the record that should exist."""
    return ExpectedRecord("spf", domain, "TXT", f"v=spf1 {_terms(service.sending)} ~all")


async def spf(domain: str, service: MailService, now: float, dns: Asking) -> Advice:
    """Advise on the SPF record of `domain`. `now`: seconds since 1970. Raises DnsTrouble."""
    wanted = wanted_spf(domain, service)
    published = texts(await dns.ask(domain, "TXT"))
    found = [each for each in published if record.is_spf(each)]
    if not found:
        near = [each for each in published if _resembles(each)]
        if near:
            wrong = f"A TXT record of {domain} resembles SPF, but does not begin with `v=spf1 `: replace it by `{wanted.value}`."
            return wanted.judged(near, [wrong])
        return wanted.judged([], [f"{domain} has no SPF record: publish TXT `{wanted.value}`."])
    if len(found) > 1:
        several = f"{domain} has {len(found)} SPF records, and receivers use none of them: merge their terms into one and remove the others."
        return wanted.judged(found, [several])
    try:
        parsed = record.parse(found[0])
    except BadRecord as error:
        return wanted.judged(
            found, [f"The SPF record of {domain} is malformed ({error}): correct it or publish `{wanted.value}`."]
        )
    problems = _of_record(domain, parsed)
    nobody = await _check(_NOBODY, domain, service.host, now, dns)
    if nobody.result == "permerror":
        return wanted.judged(found, [*problems, _cannot(domain, nobody)])
    if nobody.result == "pass" and nobody.term.lower() in _EVERYBODY:
        problems.append(
            f"`{nobody.term}` in the SPF record of {nobody.record_domain} permits everybody to send as {domain}: end the record in `~all` or `-all`."
        )
    return wanted.judged(found, [*problems, *await _denied(domain, service, now, dns)])


def _terms(hosts: tuple[str, ...]) -> str:
    return " ".join(f"a:{host}" for host in hosts)


def _resembles(text: bytes) -> bool:
    start = text.strip(b" \"'\t").lower()
    return start.startswith((b"v=spf", b"spf1", b"v=sfp1", b"v= spf", b"v =spf", b"spf2.0"))


def _of_record(domain: str, parsed: record.SpfRecord) -> list[str]:
    """Return what can be seen in the record itself."""
    problems = []
    mechanisms = [each.mechanism for each in parsed.directives]
    if "all" in mechanisms:
        at = mechanisms.index("all")
        if behind := parsed.directives[at + 1 :]:
            problems.append(
                f"`{behind[0].text}` in the SPF record of {domain} is behind `all` and ignored: move it in front of `all`."
            )
        if parsed.redirect is not None:
            problems.append(
                f"`{parsed.redirect[0]}` in the SPF record of {domain} is ignored because of `all`: remove one of the two."
            )
        if parsed.directives[at].result == "neutral":
            problems.append(
                f"`{parsed.directives[at].text}` in the SPF record of {domain} protects nothing: replace it by `~all`."
            )
    elif parsed.redirect is None:
        problems.append(f"The SPF record of {domain} ends without `all` and protects nothing: put `~all` at its end.")
    if "ptr" in mechanisms:
        problems.append(
            f"`ptr` in the SPF record of {domain} is not evaluated by all receivers (RFC 7208 5.5): replace it by `a:` or `ip4:`."
        )
    return problems


async def _check(address: str, domain: str, helo: str, now: float, dns: Asking) -> SpfResult:
    """Return the result for one address. Raises DnsTrouble for a temperror."""
    result = await check_host(address, f"postmaster@{domain}", helo, dns, now=now)
    if result.result == "temperror":
        raise DnsTrouble(result.problem)
    return result


def _cannot(domain: str, result: SpfResult) -> str:
    """Return the sentence for a permerror."""
    if "terms that ask the DNS" in result.problem:
        do = "remove or replace `include`, `a` and `mx` terms by `ip4:` and `ip6:` until at most 10 are left"
    elif "without an answer" in result.problem:
        do = "remove the terms whose names have no record"
    else:
        at = f" at `{result.term}`" if result.term else ""
        do = f"correct or remove what is wrong{at}"
    return f"The SPF record of {domain} cannot be evaluated ({result.problem}), so receivers do not use it: {do}."


async def _denied(domain: str, service: MailService, now: float, dns: Asking) -> list[str]:
    """Return a sentence for each sending host with an address that the record does not permit."""
    hosts = await dns.of_all(service.sending)
    each = [(host, address) for host, found in hosts.items() for address in found][:MOST_ADDRESSES]
    results = await asyncio.gather(*(_check(address, domain, host, now, dns) for host, address in each))
    denied: dict[str, tuple[str, SpfResult]] = {}
    for (host, address), result in zip(each, results, strict=True):
        if result.result != "pass":
            denied.setdefault(host, (address, result))
    return [
        _cannot(domain, result)
        if result.result == "permerror"
        else f"The SPF record of {domain} does not permit {address}, from which {host} sends ({result.result}): add `a:{host}` in front of its `all`."
        for host, (address, result) in denied.items()
    ]
