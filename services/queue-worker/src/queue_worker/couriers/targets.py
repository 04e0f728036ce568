"""The hosts that a domain's mail is sent to: MX by preference, and their addresses (RFC 5321 5.1, S15, RFC 7505)."""

import ipaddress
import random
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from mailkit.mail.address import Networks
from mailkit.net.dns import MX, NoRecord, NoSuchName, Resolver, TemporaryDnsError
from queue_worker.couriers.models import CourierSettings, Relay
from queue_worker.couriers.public import embedded, is_public
from queue_worker.models import Outcome
from queue_worker.tls.policy import OPPORTUNISTIC, HostRefused, TlsPolicy


@dataclass(frozen=True, slots=True)
class HostAddress:
    """One address to try; `host` is its MX name, or the domain itself."""

    host: str
    address: str
    relay: Relay | None = None
    """The route by which it is reached."""
    policy: TlsPolicy = OPPORTUNISTIC
    """How TLS is used with it."""

    def facts(self, tls: str) -> str:
        """Return the address, the facts of `tls` with its policy, and by which source and route it is reached, for the trace."""
        left_by = self.relay.words(self.address) if self.relay and self.relay.route else ""
        return f"{self.policy.facts(f'{self.address} {tls}'.rstrip())}{left_by}"


class NoTarget(Exception):
    """No host can be tried: `outcome`, RFC 3463 `status`, and the text (spec S15 or ours)."""

    def __init__(self, outcome: Outcome, status: str, text: str) -> None:
        super().__init__(text)
        self.outcome, self.status, self.text = outcome, status, text


#: The tag of an IPv6 address literal (RFC 5321 4.1.3), in any case.
_LITERAL = re.compile(r"\Aipv6:", re.I)

#: Addresses for which it is cached whether connections to them are allowed.
REMEMBERED = 4096

_LOOP = (
    "Sorry. Although I'm listed as a best-preference MX or A for that host, "
    "it isn't in my list of local domains, so I don't treat it as local. (#5.4.6)"
)


class Targets:
    """Looks up the hosts of destinations. At most `most` addresses are tried in one attempt."""

    def __init__(self, settings: CourierSettings, resolver: Resolver, most: int = 20) -> None:
        self._settings = settings
        self._resolver = resolver
        self._allowed = Networks(settings.allow_networks)
        self._denied = Networks(settings.deny_networks)
        self._own_names = {name.lower().rstrip(".") for name in (*settings.own_names, settings.helo_name)}
        self._most = most
        self.may_connect = lru_cache(maxsize=REMEMBERED)(self._is_allowed)

    async def of(self, domain: str, relay: Relay | None = None) -> list[HostAddress]:
        """Return the addresses for mail to `domain`, by the route `relay`, in the order they are tried. Raises NoTarget."""
        found = await self._of_relay(relay, relay.host) if relay and relay.host else await self._of_domain(domain)
        if self._settings.ipv4_only:
            found = [target for target in found if ":" not in target.address]
            if not found:
                raise NoTarget(
                    Outcome.deferred,
                    "4.4.4",
                    f"No host of {domain} has an IPv4 address, and only these are used. (#4.4.4)",
                )
        if relay is None:
            return found
        if relay.source_address:
            found = [target for target in found if relay.source_for(target.address)]
            if not found:
                raise NoTarget(
                    Outcome.deferred, "4.4.4", f"No host has an address for the source {relay.source_address}. (#4.4.4)"
                )
        return [replace(target, relay=relay) for target in found]

    async def _of_relay(self, relay: Relay, host: str) -> list[HostAddress]:
        """Return the addresses of a smart host. That it has none, or is this service itself, is for the operator to repair."""
        try:
            found = [HostAddress(host, address) for address in await self._resolver.addresses(host)]
        except (TemporaryDnsError, NoRecord, NoSuchName):
            raise NoTarget(Outcome.deferred, "4.4.4", f"The relay {host} has no address right now. (#4.4.4)") from None
        listeners = self._settings.own_listeners
        if host in self._own_names or any((target.address, relay.port) in listeners for target in found):
            raise NoTarget(Outcome.deferred, "4.4.6", f"The relay {host} is this service itself. (#4.4.6)")
        return self._usable(found, host)

    async def _of_domain(self, domain: str) -> list[HostAddress]:
        """Return the addresses of `domain`'s own hosts."""
        if domain.startswith("["):
            return self._usable([HostAddress(domain, _LITERAL.sub("", domain[1:-1]))], domain)
        exchangers = await self._exchangers(domain)
        found: list[HostAddress] = []
        problem: NoTarget | None = None
        for _, group in groupby(sorted(exchangers), key=lambda mx: mx.preference):
            hosts = [mx.host for mx in group]
            random.shuffle(hosts)  # RFC 5321 5.1: equal preference, spread the load
            tier: list[HostAddress] = []
            for host in hosts:
                if host in self._own_names:
                    return self._after_ourselves(found, domain)
                try:
                    tier += [HostAddress(host, address) for address in await self._resolver.addresses(host)]
                except TemporaryDnsError:
                    # it may have an address after all: no failure is final while that is unknown
                    problem = NoTarget(
                        Outcome.deferred, "4.4.3", f"The address of {host} cannot be looked up right now. (#4.4.3)"
                    )
                except (NoRecord, NoSuchName):
                    problem = problem or NoTarget(
                        Outcome.failed,
                        "5.4.4",
                        f"Name service error for {host}: Host found but no data record of requested type",
                    )  # S15
            if any(self._is_ours(target) for target in tier):
                return self._after_ourselves(found, domain)
            found += tier
        if not found:
            raise problem or NoTarget(Outcome.failed, "5.4.4", f"{domain} has no mail host. (#5.4.4)")
        return self._usable(found, domain)

    async def _exchangers(self, domain: str) -> list[MX]:
        try:
            exchangers = list(await self._resolver.mx(domain))
        except NoRecord:
            return [MX(0, domain)]  # RFC 5321 5.1: the implicit MX
        except NoSuchName:
            raise NoTarget(
                Outcome.failed, "5.1.2", f"Sorry, I couldn't find any host named {domain}. (#5.1.2)"
            ) from None
        except TemporaryDnsError:
            raise NoTarget(
                Outcome.deferred, "4.4.3", f"The mail hosts of {domain} cannot be looked up right now. (#4.4.3)"
            ) from None
        if len(exchangers) == 1 and exchangers[0].host == "":
            raise NoTarget(Outcome.failed, "5.1.10", f"The domain {domain} does not accept mail. (#5.1.10)")  # RFC 7505
        return [mx for mx in exchangers if mx.host]

    def _after_ourselves(self, better: list[HostAddress], domain: str) -> list[HostAddress]:
        """Return the hosts preferred to ourselves; the others are not tried (RFC 5321 5.1). Without any it is a loop."""
        if not better:
            raise NoTarget(Outcome.failed, "5.4.6", _LOOP)
        return self._usable(better, domain)

    def _is_ours(self, target: HostAddress) -> bool:
        return (target.address, self._settings.port) in self._settings.own_listeners

    def _usable(self, found: list[HostAddress], domain: str) -> list[HostAddress]:
        """Return the addresses that may be connected to: public ones, and those in networks that the operator allows."""
        usable = [target for target in found if self.may_connect(target.address)]
        if not usable:
            raise NoTarget(Outcome.deferred, "4.4.4", f"The mail hosts of {domain} have no public address. (#4.4.4)")
        return usable[: self._most]

    def _is_allowed(self, address: str) -> bool:
        """Return whether `address` may be connected to: allowed networks override denied ones, and both the registries."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if str(ip) in self._allowed:
            return True
        forms = (ip, *embedded(ip))
        return not any(str(form) in self._denied for form in forms) and is_public(ip)


def allowed(found: list[HostAddress], policies: dict[str, TlsPolicy | HostRefused]) -> list[HostAddress]:
    """Return the addresses with the TLS policy of their host, without those that mail may not be sent to. Raises NoTarget.

    That no host may is final only if it is for each of them.
    """
    refused = [policy for policy in policies.values() if isinstance(policy, HostRefused)]
    usable = [replace(t, policy=policy) for t in found if isinstance(policy := policies[t.host], TlsPolicy)]
    if not usable:
        why = min(refused, key=lambda each: each.status)
        outcome = Outcome.failed if why.status[0] == "5" else Outcome.deferred
        raise NoTarget(outcome, why.status, f"{why.text} (#{why.status})")
    return usable
