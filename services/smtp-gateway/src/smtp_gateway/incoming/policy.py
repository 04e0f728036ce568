"""What follows from DMARC (RFC 9989 5.3.4, 5.4): which mail is filed as spam, refused, or tried again. Pure."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

from mailauth.authentication_results import BadField, read
from mailauth.dmarc.evaluate import DmarcResult
from mailauth.dns import is_within
from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress, Networks, normalise_domain
from smtp_gateway.config import DmarcAction, GatewaySettings
from smtp_gateway.incoming.examine import Examined

Consequence = Literal["none", "junk", "defer", "refuse"]
#: From the mildest to the strictest: a message whose From has several domains gets the strictest.
_ORDER: tuple[Consequence, ...] = get_args(Consequence)


@dataclass(frozen=True, slots=True)
class DmarcDecision:
    """What follows. `domain`: the one in From for which; `failed`: DMARC failed and the domain asks to reject such mail.

    `forwarder`: the one that is trusted, so that nothing follows.
    """

    consequence: Consequence = "none"
    domain: str = ""
    failed: bool = False
    forwarder: str = ""


class DmarcPolicy:
    """The operator's choices. Raises ConfigError for malformed ones."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._of_reject = settings.dmarc_reject
        self._of_quarantine = settings.dmarc_quarantine
        self._of_domains = dict(map(_of_domain, settings.dmarc_domains))
        networks: list[str] = []
        sealers: list[str] = []
        for each in settings.trusted_forwarders:
            if each and (each[0].isdigit() or ":" in each):
                networks.append(each)
            else:
                sealers.append(each)
        try:
            self._networks = Networks(networks)
            self._sealers = frozenset(map(normalise_domain, sealers))
        except BadAddress as error:
            raise ConfigError(f"POSTRIDER_TRUSTED_FORWARDERS: {error}") from error

    def decide(self, found: Examined, client: str | None, *, limited: bool = False) -> DmarcDecision:
        """Return what follows from the results for a message of the client with this address.

        `limited`: it asked too many questions, or its network did, so that what DMARC leaves open is to be asked again.
        """
        decisions = [self._of(each, limited) for each in found.dmarc]
        worst = max(decisions, key=lambda each: _ORDER.index(each.consequence), default=DmarcDecision())
        failed = any(each.failed for each in decisions)
        if (worst.consequence != "none" or failed) and (forwarder := self._forwarder(found, client)):
            return DmarcDecision(domain=worst.domain, forwarder=forwarder)
        return DmarcDecision(worst.consequence, worst.domain, failed)

    def _of(self, result: DmarcResult, limited: bool) -> DmarcDecision:
        chosen = self._chosen(result.domain)
        if result.result == "fail":
            action = chosen or self._default(result.requested)
            return DmarcDecision(action, result.domain, result.requested == "reject" and action != "none")
        if result.result == "temperror":
            possible = (self._default(result.requested),) if result.record else (self._of_reject, self._of_quarantine)
            judged = (chosen,) if chosen else possible
            needed = "refuse" in judged or (limited and any(each != "none" for each in judged))
            return DmarcDecision("defer" if needed else "none", result.domain)
        if result.result == "permerror":  # what a reader sees in From could be anything
            return DmarcDecision(self._of_quarantine, result.domain)
        return DmarcDecision()

    def _default(self, requested: str) -> DmarcAction:
        if requested == "reject":
            return self._of_reject
        return self._of_quarantine if requested == "quarantine" else "none"

    def _chosen(self, domain: str) -> DmarcAction | None:
        """Return the operator's choice for the domain, or for the nearest one above it."""
        near = [each for each in self._of_domains if is_within(domain, each)]
        return self._of_domains[max(near, key=len)] if near else None

    def _forwarder(self, found: Examined, client: str | None) -> str:
        """Return the trusted forwarder that the message came from: its address, or the domain of its ARC seal; "" if none."""
        if client is not None and self._networks and client in self._networks:
            return client
        if found.arc.result != "pass" or not found.arc.sets or found.arc.partial:
            return ""
        last = found.arc.sets[-1]
        # a From that the signature leaves out, or a further one, is not what the sealer vouches for
        if b"from" not in last.message.names or any(each.result == "permerror" for each in found.dmarc):
            return ""
        return last.seal.domain if last.seal.domain in self._sealers and not _says_fail(last.fields[0].value) else ""


def _says_fail(results: bytes) -> bool:
    """Return whether an ARC-Authentication-Results says dmarc=fail, or cannot be read."""
    try:
        found = read(results.partition(b";")[2])  # without the instance
    except BadField:
        return True
    return any(each.method == "dmarc" and each.result == "fail" for each in found.results)


def _of_domain(text: str) -> tuple[str, DmarcAction]:
    name, _, action = text.partition("=")
    try:
        if action.strip() in get_args(DmarcAction):
            return normalise_domain(name), cast(DmarcAction, action.strip())
    except BadAddress:
        pass
    raise ConfigError(f"POSTRIDER_DMARC_DOMAINS: {text!r} is not domain=junk, domain=refuse or domain=none")
