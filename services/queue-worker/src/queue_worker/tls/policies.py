"""Which TLS policy applies to each host of a domain (docs/decisions/0095)."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from queue_worker.storage.sts_policies import StsPolicy
from queue_worker.tls.dane import Dane
from queue_worker.tls.policy import OPPORTUNISTIC, HostRefused, TlsPolicy
from queue_worker.tls.report_to import ReportTo
from queue_worker.tls.results import TlsCounts
from queue_worker.tls.sts import Sts
from queue_worker.tls.sts_text import matches

#: Begins the reason given for a message that REQUIRETLS keeps from being sent (RFC 8689 7.4).
NO_REQUIRETLS = "REQUIRETLS support required: the sender asked for it"


class Policies:
    """The policies that other domains publish."""

    def __init__(
        self,
        sts: Sts | None = None,
        dane: Dane | None = None,
        results: TlsCounts | None = None,
        report_to: ReportTo | None = None,
    ) -> None:
        self.sts = sts
        self.results = results or TlsCounts()
        self.report_to = report_to
        self._dane = dane

    async def of(self, domain: str, hosts: Iterable[str], asked: str = "") -> dict[str, TlsPolicy | HostRefused]:
        """Return the policy of each host, or why no mail may be sent to it. DANE precedes MTA-STS (RFC 8461 2).

        `asked`: what the sender asks about TLS (RFC 8689). With `optional` the domain's policies are not looked at.
        """
        names = list(hosts)
        if asked == "optional":
            return dict.fromkeys(names, OPPORTUNISTIC)
        sts, dane = await asyncio.gather(self._sts_of(domain), self._dane_of(domain, names))
        found = {host: _stronger(dane.get(host), _by_sts(sts, host) if sts else OPPORTUNISTIC) for host in names}
        if asked != "required":
            return found
        proven = self._dane is not None and bool(await self._dane.proves(domain))
        return {host: required(policy, domain, proven) for host, policy in found.items()}

    async def _sts_of(self, domain: str) -> StsPolicy | None:
        return await self.sts.of(domain) if self.sts is not None and not domain.startswith("[") else None

    async def _dane_of(self, domain: str, hosts: list[str]) -> dict[str, TlsPolicy | HostRefused]:
        return await self._dane.of(domain, hosts) if self._dane is not None else {}


def required(policy: TlsPolicy | HostRefused, domain: str, proven: bool) -> TlsPolicy | HostRefused:
    """Return the policy for a message with REQUIRETLS (RFC 8689 4.2.1): the host's name is authentic and its certificate verified.

    `proven`: DNSSEC proves the MX records of `domain`.
    """
    if isinstance(policy, HostRefused):
        return policy
    if policy.authenticates:
        return replace(policy, only_reported=False, requiretls=True)
    if proven:
        return TlsPolicy("requiretls", f"MX of {domain}, proven by DNSSEC", verifies=True, requiretls=True)
    return HostRefused(f"{NO_REQUIRETLS}, and neither MTA-STS nor DNSSEC says which hosts {domain} has.", "5.7.30")


def _stronger(dane: TlsPolicy | HostRefused | None, other: TlsPolicy | HostRefused) -> TlsPolicy | HostRefused:
    """Return the policy by DANE; without one the `other`, and of records that cannot be used whichever verifies more."""
    unusable = isinstance(dane, TlsPolicy) and dane.kind == "dane-unusable"
    if dane is None or (unusable and (isinstance(other, HostRefused) or (other.verifies and not other.only_reported))):
        return other
    return dane


def _by_sts(policy: StsPolicy, host: str) -> TlsPolicy | HostRefused:
    """Return the policy of a host by MTA-STS. In testing mode mail may go to a host that it does not name (RFC 8461 5)."""
    record = f"policy {policy.id} of {policy.domain}"
    named = matches(host, policy.mx)
    fields = ("version: STSv1", f"mode: {policy.mode}", f"max_age: {policy.max_age}")
    published = "\n".join((*fields, *(f"mx: {each}" for each in policy.mx)))
    if policy.mode == "enforce":
        unnamed = HostRefused(f"The host {host} is not named in the MTA-STS {record}.")
        return TlsPolicy("mta-sts", record, True, published=published, mx=policy.mx) if named else unnamed
    record = record if named else f"{record}, which does not name it"
    return TlsPolicy("mta-sts-testing", record, named, True, published=published, mx=policy.mx)
