"""The DMARC result of a message (RFC 9989 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.record import DmarcRecord, Policy
from mailauth.dmarc.walk import Walks
from mailauth.dns import Dns, DnsTrouble, ascii_domain, is_within
from mailauth.spf.check import SpfResult

Result = Literal["none", "pass", "fail", "temperror", "permerror"]
Mechanism = Literal["spf", "dkim"]
_LOWER: dict[Policy, Policy] = {"none": "none", "quarantine": "none", "reject": "quarantine"}


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or DKIM authenticated, or (`certain` is False) could not look up for now."""

    mechanism: Mechanism
    domain: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """A result and its cause.

    `policy` is what the record asks for mail that fails, from this domain; `requested` is one level lower where the owner is
    testing (t=y). `aligned`: what made it pass. `mechanisms`: those with an aligned identifier, as far as they were looked for.
    `organizational` is empty where nothing depended on it.
    """

    result: Result
    domain: str
    policy: Policy = "none"
    requested: Policy = "none"
    record: str = ""
    record_domain: str = ""
    organizational: str = ""
    aligned: Identifier | None = None
    mechanisms: frozenset[Mechanism] = frozenset()
    problem: str = ""


def identifiers(spf: SpfResult | None, dkim: Sequence[DkimResult]) -> list[Identifier]:
    """Return the identifiers of results: passes, and temporary errors, which might have been one.

    Of SPF, the domain of MAIL FROM, or of HELO where MAIL FROM is empty (RFC 7208 2.4). Of DKIM, d=, but not where l= leaves a part
    of the body unsigned (RFC 6376 8.2).
    """
    found: list[Identifier] = []
    if spf is not None and spf.result in ("pass", "temperror"):
        found.append(Identifier("spf", spf.domain, spf.result == "pass"))
    found.extend(
        Identifier("dkim", each.signature.domain, each.result == "pass")
        for each in dkim
        if each.signature is not None and each.result in ("pass", "temperror") and not each.partial
    )
    return found


async def evaluate(author: str, found: Sequence[Identifier], resolver: Dns, *, every: bool = False) -> DmarcResult:
    """Return the result for a message whose From has the domain `author`.

    The first aligned identifier decides; `every`: look for one of each mechanism, as reports tell (RFC 9990). Trouble of the DNS is temperror, but only where the answer decides. At most 8 questions for `author`, one for its existence,
    and 8 for each identifier within its organizational domain.
    """
    domain = ascii_domain(author)
    if domain is None:
        return DmarcResult("permerror", author, problem="the domain of From is no name")
    walks = Walks(resolver)
    result = DmarcResult("none", domain)
    try:
        held = await walks.record(domain)
        own = held is not None
        at = domain
        if held is None:
            walk = await walks.walk(domain)
            result = replace(result, organizational=walk.organizational)
            if walk.applied is None:
                return replace(result, problem="no DMARC record")
            at, held = walk.applied
        result = replace(result, record=held.text, record_domain=at)
        if not held.usable:
            return replace(result, problem="the record has a wrong policy and nowhere to report to")
        policy = await _policy(held, domain, own, resolver)
        result = replace(result, policy=policy, requested=_LOWER[policy] if held.testing else policy)
        return await _align(result, held, found, walks, every)
    except DnsTrouble as error:
        return replace(result, result="temperror", problem=str(error) or "the DNS gave no answer")


async def _policy(held: DmarcRecord, domain: str, own: bool, resolver: Dns) -> Policy:
    """Return the policy for `domain`. Whether it exists is only asked if it matters (4.10.1). Raises DnsTrouble."""
    there = held.policy(subdomain=not own, exists=True)
    if own or held.policy(subdomain=True, exists=False) == there:
        return there
    return held.policy(subdomain=True, exists=(await resolver.ask(domain, "A")).exists)


async def _align(
    result: DmarcResult, held: DmarcRecord, found: Sequence[Identifier], walks: Walks, every: bool
) -> DmarcResult:
    """Return pass if an identifier is aligned, temperror if one might be, else fail (4.4, 4.10.2). Raises DnsTrouble."""
    same = [each for each in found if each.domain == result.domain]
    aligned = [each for each in same if each.certain]
    doubtful = [each for each in same if not each.certain]
    if every or not aligned:
        try:
            result = await _align_relaxed(result, held, found, walks, aligned, doubtful, every)
        except DnsTrouble:
            if not aligned:
                raise
    if aligned:
        mechanisms = frozenset(each.mechanism for each in aligned)
        return replace(result, result="pass", aligned=aligned[0], mechanisms=mechanisms)
    if doubtful:
        problem = f"{doubtful[0].mechanism} of {doubtful[0].domain} could not be looked up"
        return replace(result, result="temperror", problem=problem)
    return replace(result, result="fail", problem="no aligned domain")


async def _align_relaxed(
    result: DmarcResult,
    held: DmarcRecord,
    found: Sequence[Identifier],
    walks: Walks,
    aligned: list[Identifier],
    doubtful: list[Identifier],
    every: bool,
) -> DmarcResult:
    """Add to `aligned` and `doubtful` the identifiers with the organizational domain of From, where relaxed alignment counts.

    Stop at the first of `aligned`, or if `every`, of each mechanism. Raises DnsTrouble.
    """
    relaxed = [
        each
        for each in found
        if each.domain != result.domain and not (held.strict_dkim if each.mechanism == "dkim" else held.strict_spf)
    ]
    if not relaxed:
        return result
    organizational = (await walks.walk(result.domain)).organizational
    result = replace(result, organizational=organizational)
    for each in relaxed:
        if any(not every or other.mechanism == each.mechanism for other in aligned):
            continue
        if not is_within(each.domain, organizational):
            continue
        try:
            same = (await walks.walk(each.domain)).organizational == organizational
        except DnsTrouble:
            doubtful.append(each)
            continue
        if same:
            (aligned if each.certain else doubtful).append(each)
    return result
