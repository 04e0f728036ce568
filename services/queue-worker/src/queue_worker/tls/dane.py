"""DANE: the TLSA records of a domain's mail hosts, as DNSSEC proves them (RFC 7672 2; docs/decisions/0097)."""

import asyncio
from collections.abc import Iterable

from mailkit.net.dns import DnsAnswer, DnsError, NoRecord, NoSuchName, Resolver, TemporaryDnsError
from queue_worker.tls.policy import HostRefused, Tlsa, TlsPolicy

#: Most TLSA records of a host that are looked at.
MOST_RECORDS = 50
#: The length of a record's data by its matching type (RFC 6698 2.1.3); 0, the data itself: any.
_LENGTHS = {1: 32, 2: 64}


class Dane:
    """The policies that TLSA records ask for. Without a resolver that validates there are none."""

    def __init__(self, resolver: Resolver, port: int) -> None:
        self._resolver = resolver
        self._port = port

    async def of(self, domain: str, hosts: Iterable[str]) -> dict[str, TlsPolicy | HostRefused]:
        """Return the policy of each host that has one, or why no mail may be sent to it now.

        A domain whose MX records DNSSEC does not prove has none: who can forge them leads mail elsewhere (RFC 7672 2.2.1).
        """
        names = list(hosts)
        proven = await self.proves(domain)
        if proven is None:
            return dict.fromkeys(names, HostRefused(f"The MX records of {domain} cannot be looked up right now."))
        if not proven:
            return {}
        found = await asyncio.gather(*[self._of_host(host, domain) for host in names])
        return {host: policy for host, policy in zip(names, found, strict=True) if policy is not None}

    async def proves(self, domain: str) -> bool | None:
        """Return whether DNSSEC proves the MX records of `domain`, or that it has none; None if that cannot be looked up now."""
        if not self._resolver.validates or domain.startswith("["):
            return False
        try:
            return (await self._resolver.answer(domain, "MX")).secure
        except (NoRecord, NoSuchName) as none:
            return none.secure  # the implicit MX
        except DnsError:  # they were found before, and whoever can drop packets must not turn DANE off
            return None

    async def _of_host(self, host: str, domain: str) -> TlsPolicy | HostRefused | None:
        """Return the policy by the first TLSA records, under the name that the CNAMEs of `host` lead to or its own (RFC 7672 2.2.2)."""
        try:
            bases = await self._bases(host)
        except TemporaryDnsError as error:
            return HostRefused(f"The addresses of {host} cannot be looked up right now: {error}.")
        for base in bases:
            name = f"_{self._port}._tcp.{base}"
            try:
                found = await self._resolver.answer(name, "TLSA")
            except TemporaryDnsError as error:  # also SERVFAIL for a forged answer: there may be records
                return HostRefused(f"The TLSA records of {host} cannot be looked up right now: {error}.")
            except DnsError:
                continue
            if not found.secure:
                continue
            records = usable(found.records)
            published = "\n".join(sorted(found.records)[:MOST_RECORDS])
            if not records:
                return TlsPolicy("dane-unusable", f"TLSA {name}", published=published)
            others = [each for each in (host, domain) if each != base]
            return TlsPolicy(
                "dane", f"TLSA {name}", tlsa=records, names=(base, *dict.fromkeys(others)), published=published
            )
        return None

    async def _bases(self, host: str) -> list[str]:
        """Return the names at which TLSA records are looked for; none if DNSSEC does not prove the addresses.

        Raises TemporaryDnsError if neither family can be looked up, or the only one there is.
        """
        answers = await asyncio.gather(
            self._resolver.answer(host, "AAAA"), self._resolver.answer(host, "A"), return_exceptions=True
        )
        found: list[str] = []
        trouble: TemporaryDnsError | None = None
        for answer in answers:
            if isinstance(answer, DnsAnswer):
                if not answer.secure:
                    return []
                found.append(answer.name)
            elif isinstance(answer, TemporaryDnsError):
                trouble = answer
            elif not isinstance(answer, DnsError):
                raise answer
        if trouble is not None and not found:
            raise trouble
        return list(dict.fromkeys([*found, host])) if found else []


def usable(records: Iterable[str]) -> tuple[Tlsa, ...]:
    """Return the records, as in a zone file, that can be used: DANE-TA and DANE-EE with selectors and hashes that are known.

    PKIX-TA and PKIX-EE cannot (RFC 7672 3.1.3). Of one usage and selector, SHA-256 is left aside for SHA-512 (RFC 7671 9).
    """
    found: list[Tlsa] = []
    for record in list(records)[:MOST_RECORDS]:
        usage, selector, matching, data = record.split(" ", 3)
        tlsa = Tlsa(int(usage), int(selector), int(matching), bytes.fromhex(data))
        known = tlsa.usage in (2, 3) and tlsa.selector in (0, 1) and tlsa.matching in (0, 1, 2)
        if known and len(tlsa.data) == _LENGTHS.get(tlsa.matching, len(tlsa.data)):
            found.append(tlsa)
    stronger = {(each.usage, each.selector) for each in found if each.matching == 2}
    return tuple(each for each in found if each.matching != 1 or (each.usage, each.selector) not in stronger)
