"""What was found about a message, as the results of an Authentication-Results field (RFC 8601 2.7, RFC 8617 7)."""

from collections.abc import Sequence

from mailauth.arc.chain import ArcResult
from mailauth.authentication_results import MethodResult
from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.evaluate import DmarcResult
from mailauth.spf.check import SpfResult


def of_spf(found: SpfResult, mail_from: str) -> MethodResult:
    """Return the result of SPF; `mail_from` as the client gave it."""
    checked = ("smtp.mailfrom", mail_from) if found.identity == "mailfrom" else ("smtp.helo", found.domain)
    return MethodResult("spf", found.result, (checked,), found.problem)


def of_dkim(found: Sequence[DkimResult]) -> list[MethodResult]:
    """Return a result for each signature; "none" if there is none. A field that could not be read has no domain."""
    return [_of_signature(each) for each in found] or [MethodResult("dkim", "none")]


def _of_signature(found: DkimResult) -> MethodResult:
    signature = found.signature
    if signature is None:
        return MethodResult("dkim", found.result, (), found.problem)
    properties = [("header.d", signature.domain), ("header.s", signature.selector), ("header.a", signature.algorithm)]
    if signature.start:
        properties.append(("header.b", signature.start))
    reason = found.problem or ("a part of the body is not signed" if found.partial else "")
    return MethodResult("dkim", found.result, tuple(properties), reason)


def of_dmarc(found: DmarcResult) -> MethodResult:
    """Return the result of DMARC, with the policy that its owner requests for mail that fails."""
    properties = (("header.from", found.domain), ("policy.dmarc", found.requested))
    return MethodResult("dmarc", found.result, properties if found.record else properties[:1], found.problem)


def of_arc(found: ArcResult) -> list[MethodResult]:
    """Return the status of the chain; nothing where the DNS left it open, as ARC has no word for that."""
    if found.result == "temperror":
        return []
    last = (("header.d", found.sets[-1].seal.domain),) if found.sets else ()
    return [MethodResult("arc", found.result, last, found.problem)]
