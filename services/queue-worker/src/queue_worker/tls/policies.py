"""Which TLS policy applies to each host of a domain (docs/decisions/0095)."""

from collections.abc import Iterable

from queue_worker.storage.sts_policies import StsPolicy
from queue_worker.tls.policy import OPPORTUNISTIC, TlsPolicy
from queue_worker.tls.sts import Sts
from queue_worker.tls.sts_text import matches


class Policies:
    """The policies that other domains publish."""

    def __init__(self, sts: Sts | None = None) -> None:
        self.sts = sts

    async def of(self, domain: str, hosts: Iterable[str]) -> dict[str, TlsPolicy | str]:
        """Return the policy of each host, or why no mail may be sent to it."""
        policy = await self.sts.of(domain) if self.sts is not None and not domain.startswith("[") else None
        return {host: OPPORTUNISTIC if policy is None else _by_sts(policy, host) for host in hosts}


def _by_sts(policy: StsPolicy, host: str) -> TlsPolicy | str:
    """Return the policy of a host by MTA-STS. In testing mode mail may go to a host that it does not name (RFC 8461 5)."""
    record = f"policy {policy.id} of {policy.domain}"
    named = matches(host, policy.mx)
    if policy.mode == "enforce":
        unnamed = f"The host {host} is not named in the MTA-STS {record}."
        return TlsPolicy("mta-sts", record, verifies=True) if named else unnamed
    return TlsPolicy("mta-sts-testing", record if named else f"{record}, which does not name it", True, True)
