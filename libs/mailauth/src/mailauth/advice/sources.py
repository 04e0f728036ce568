"""The hosts that mail leaves from: HELO name, address and PTR record agree, as large receivers require (RFC 5321 4.1.4)."""

import asyncio
import ipaddress

from mailauth.advice.asking import Asking
from mailauth.advice.mail_hosts import is_private
from mailauth.advice.models import Advice, ExpectedRecord
from mailauth.dns import DnsTrouble, names
from mailauth.spf.check import check_host

#: Addresses of one host that are looked at.
MOST_ADDRESSES = 8


async def sources(host: str, now: float, dns: Asking) -> list[Advice]:
    """Advise on one HELO name: its addresses, its SPF record, then the PTR record of each address. `now`: seconds since 1970."""
    wanted = ExpectedRecord("source", host, "A", "")
    try:
        addresses = await dns.addresses(host)
    except DnsTrouble as error:
        return [wanted.unknown(str(error))]
    if not addresses:
        sentence = f"The HELO name {host} has no address, and receivers refuse its mail: publish an A record with the address that its mail leaves from."
        return [wanted.judged([], [sentence])]
    private = [each for each in addresses if is_private(each)]
    problems = [
        f"The HELO name {host} has the private address {each}: publish the public address that its mail leaves from."
        for each in private[:1]
    ]
    of_host = wanted.judged(addresses, problems)
    public = [each for each in addresses if each not in private][:MOST_ADDRESSES]
    of_spf = _helo(host, addresses[:MOST_ADDRESSES], now, dns)
    return [of_host, *await asyncio.gather(of_spf, *(_pointer(each, host, dns) for each in public))]


async def _helo(host: str, addresses: list[str], now: float, dns: Asking) -> Advice:
    """Advise on the SPF record of a HELO name, which is what is checked of bounces (RFC 7208 2.4)."""
    wanted = ExpectedRecord("source", host, "TXT", "v=spf1 a -all", needed=False)
    results = await asyncio.gather(*(check_host(each, "", host, dns, now=now) for each in addresses))
    worst = next((each for each in results if each.result != "pass"), results[0])
    publish = f"publish TXT `{wanted.value}` at {host}"
    if worst.result == "temperror":
        return wanted.unknown(worst.problem)
    if worst.result == "none":
        return wanted.judged([], [f"The HELO name {host} has no SPF record, so bounces have no SPF result: {publish}."])
    if worst.result != "pass":
        return wanted.judged(
            [worst.record],
            [
                f"The SPF record of the HELO name {host} does not permit its own address ({worst.result}): {publish} instead."
            ],
        )
    return wanted.judged([worst.record])


async def _pointer(address: str, host: str, dns: Asking) -> Advice:
    wanted = ExpectedRecord("source", ipaddress.ip_address(address).reverse_pointer, "PTR", f"{host}.")
    repair = f"have the owner of the network set the PTR record of {address} to {host}"
    try:
        found = [each.lower() for each in names(await dns.ask(wanted.name, "PTR"))]
        if not found:
            return wanted.judged([], [f"{address} has no PTR record, and large receivers refuse its mail: {repair}."])
        if host in found:
            return wanted.judged(found)
        back = await dns.addresses(found[0])
    except DnsTrouble as error:
        return wanted.unknown(str(error))
    but = "" if address in back else ", which does not have this address"
    return wanted.judged(
        found,
        [f"The PTR record of {address} is {found[0]}{but}, and HELO says {host}: {repair}, or change the HELO name."],
    )
