"""Which TLS policy applies to each host of a domain (docs/decisions/0095)."""

import asyncio
from collections.abc import Iterable

from queue_worker.storage.sts_policies import StsPolicy
from queue_worker.tls.dane import Dane
from queue_worker.tls.policy import OPPORTUNISTIC, TlsPolicy
from queue_worker.tls.sts import Sts
from queue_worker.tls.sts_text import matches


class Policies:
    """The policies that other domains publish."""

    def __init__(self, sts: Sts | None = None, dane: Dane | None = None) -> None:
        self.sts = sts
        self._dane = dane

    async def of(self, domain: str, hosts: Iterable[str]) -> dict[str, TlsPolicy | str]:
        """Return the policy of each host, or why no mail may be sent to it. DANE precedes MTA-STS (RFC 8461 2)."""
        names = list(hosts)
        sts, dane = await asyncio.gather(self._sts_of(domain), self._dane_of(domain, names))
        return {host: _stronger(dane.get(host), OPPORTUNISTIC if sts is None else _by_sts(sts, host)) for host in names}

    async def _sts_of(self, domain: str) -> StsPolicy | None:
        return await self.sts.of(domain) if self.sts is not None and not domain.startswith("[") else None

    async def _dane_of(self, domain: str, hosts: list[str]) -> dict[str, TlsPolicy | str]:
        return await self._dane.of(domain, hosts) if self._dane is not None else {}


def _stronger(dane: TlsPolicy | str | None, other: TlsPolicy | str) -> TlsPolicy | str:
    """Return the policy by DANE; without one the `other`, and of records that cannot be used whichever verifies more."""
    unusable = isinstance(dane, TlsPolicy) and dane.kind == "dane-unusable"
    if dane is None or (unusable and (isinstance(other, str) or (other.verifies and not other.only_reported))):
        return other
    return dane


def _by_sts(policy: StsPolicy, host: str) -> TlsPolicy | str:
    """Return the policy of a host by MTA-STS. In testing mode mail may go to a host that it does not name (RFC 8461 5)."""
    record = f"policy {policy.id} of {policy.domain}"
    named = matches(host, policy.mx)
    if policy.mode == "enforce":
        unnamed = f"The host {host} is not named in the MTA-STS {record}."
        return TlsPolicy("mta-sts", record, verifies=True) if named else unnamed
    return TlsPolicy("mta-sts-testing", record if named else f"{record}, which does not name it", True, True)
