"""MX: where mail for the domain goes (RFC 5321 5.1)."""

import asyncio
import ipaddress

from mailauth.advice.asking import Asking
from mailauth.advice.models import Advice, ExpectedRecord, MailService
from mailauth.dns import names

#: MX records that are looked at.
MOST_HOSTS = 10
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
            "::1/128", "fc00::/7", "fe80::/10",
        ),
    )
)  # fmt: skip


def is_private(text: str) -> bool:
    """Return whether other providers cannot reach an address: private, shared, link-local or loopback (RFC 6890)."""
    address = ipaddress.ip_address(text)
    return any(address in network for network in _PRIVATE if network.version == address.version)


async def mail_hosts(domain: str, service: MailService, dns: Asking) -> Advice:
    """Advise on the MX records of `domain`. Raises DnsTrouble."""
    wanted = wanted_mx(domain, service)
    answer = await dns.ask(domain, "MX")
    found = [each.lower() for each in names(answer)]
    publish = f"publish `{domain}. IN MX {wanted.value}`"
    if not found:
        return wanted.judged([], [await _nothing(domain, publish, answer.exists, dns)])
    if "" in found:
        only = "says that the domain takes no mail" if len(found) == 1 else "beside other MX records makes them invalid"
        return wanted.judged(found, [f"The null MX of {domain} {only}: remove it and {publish}."])
    looked_at = found[:MOST_HOSTS]
    wrong = dict(zip(looked_at, await asyncio.gather(*(_host(each, dns) for each in looked_at)), strict=True))
    problems = [each for each in wrong.values() if each]
    others = [each for each in looked_at if wrong[each] is None and not await _is_ours(each, service, dns)]
    if others and len(others) == len(looked_at):
        problems.append(f"Mail for {domain} goes to {', '.join(others[:3])} and not here: {publish} instead.")
    elif others:
        problems.append(
            f"Some mail for {domain} goes to {', '.join(others[:3])}: remove what is not a relay that passes mail on to {service.host}."
        )
    return wanted.judged(found, problems)


def wanted_mx(domain: str, service: MailService) -> ExpectedRecord:
    """Return the record that should exist."""
    return ExpectedRecord("mx", domain, "MX", f"10 {service.host}.")


async def _nothing(domain: str, publish: str, exists: bool, dns: Asking) -> str:
    if not exists:
        return f"{domain} does not exist in the DNS: register it or have its zone delegated, then {publish}."
    addresses = await dns.addresses(domain)
    if addresses:
        return f"Without an MX record mail for {domain} goes to its address {addresses[0]}: {publish}."
    return f"{domain} has no MX record, and mail for it is returned: {publish}."


async def _host(host: str, dns: Asking) -> str | None:
    """Return what is wrong with one mail host."""
    if _is_address(host):
        return f"The MX record names the address {host}, but has to name a host: replace it by the host's name."
    alias = names(await dns.ask(host, "CNAME"))
    if alias:
        return f"The MX host {host} is a CNAME, which RFC 2181 forbids: name {alias[0]} in the MX record instead."
    answer, addresses = await dns.ask(host, "A"), await dns.addresses(host)
    if not answer.exists:
        return f"The MX host {host} does not exist: correct its name in the MX record, or publish its address."
    if not addresses:  # S15
        return (
            f"The MX host {host} has no address, and senders read `Name service error for {host}: Host found but no data record of "
            "requested type`: publish an A or AAAA record for it, or name another host."
        )
    if all(map(is_private, addresses)):
        return f"The MX host {host} has no address that others can reach ({addresses[0]}): publish its public address."
    return None


async def _is_ours(host: str, service: MailService, dns: Asking) -> bool:
    """Return whether a mail host is the service, by its name or one of its addresses. Raises DnsTrouble."""
    if host in service.hosts:
        return True
    ours = {address for found in (await dns.of_all(service.hosts)).values() for address in found}
    return not ours.isdisjoint(await dns.addresses(host))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
