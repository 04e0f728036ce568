"""The results of a message as the fields of its header, and the verdicts of its trace."""

from collections.abc import Iterator

from msgspec.structs import astuple

from mailauth.authentication_results import AuthenticationResults, MethodResult, write
from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.evaluate import DmarcResult
from mailauth.findings import of_arc, of_dkim, of_dmarc, of_spf
from mailauth.spf.check import SpfResult
from queue_worker_api.wire import MailVerdict
from smtp_gateway.incoming.examine import Examined
from smtp_gateway.incoming.policy import DmarcDecision

#: Characters of a text of a verdict: senders and owners of zones decide how long it is.
MOST = 600

#: Of a signature with l=.
PARTIAL = "a part of the body is not signed"


def field(host: str, found: Examined, mail_from: str, *, utf8: bool) -> bytes:
    """Return our Authentication-Results (RFC 8601); `utf8`: the message came with SMTPUTF8."""
    return write(AuthenticationResults(host, tuple(_results(found, mail_from))), utf8=utf8)


def _results(found: Examined, mail_from: str) -> Iterator[MethodResult]:
    if found.spf is not None:
        yield of_spf(found.spf, mail_from)
    if found.helo is not None and (found.spf is None or found.helo.result != "none"):
        yield of_spf(found.helo, "")
    yield from of_dkim(found.dkim)
    if found.arc.result != "none":
        yield from of_arc(found.arc)
    yield from (of_dmarc(each) for each in found.dmarc if each.domain)


def verdicts(found: Examined, decision: DmarcDecision) -> list[MailVerdict]:
    """Return what each method found, and the record that caused it."""
    made = [_spf(each) for each in (found.spf, found.helo) if each is not None]
    made += [_dkim(each) for each in found.dkim] or [MailVerdict("dkim", "none")]
    if found.arc.result != "none":
        sealer = found.arc.sets[-1].seal.domain if found.arc.sets else ""
        reason = found.arc.problem or (PARTIAL if found.arc.partial else "")
        made.append(MailVerdict("arc", found.arc.result, sealer, reason))
    made += [_dmarc(each, decision) for each in found.dmarc]
    return [each if _is_short(each) else MailVerdict(*(text[:MOST] for text in astuple(each))) for each in made]


def _is_short(verdict: MailVerdict) -> bool:
    return max(len(verdict.domain), len(verdict.reason), len(verdict.record), len(verdict.record_name)) <= MOST


def results(found: Examined) -> set[tuple[str, str]]:
    """Return the methods with their results: of several signatures, and of several domains in From, each result once."""
    spf = found.spf or found.helo
    return {
        *([("spf", str(spf.result))] if spf else []),
        *({("dkim", str(each.result)) for each in found.dkim} or {("dkim", "none")}),
        ("arc", found.arc.result),
        *({("dmarc", str(each.result)) for each in found.dmarc} or {("dmarc", "none")}),
    }


def _spf(found: SpfResult) -> MailVerdict:
    what = "MAIL FROM" if found.identity == "mailfrom" else "HELO"
    reason = f"{what}: {found.problem or found.term or 'no term matches'}"
    return MailVerdict("spf", found.result, found.domain, reason, found.record, found.record_domain)


def _dkim(found: DkimResult) -> MailVerdict:
    signature = found.signature
    if signature is None:
        return MailVerdict("dkim", found.result, "", found.problem)
    reason = found.problem or (PARTIAL if found.partial else "")
    name = f"{signature.selector}._domainkey.{signature.domain}"
    return MailVerdict("dkim", found.result, signature.domain, reason, found.record, name if found.record else "")


def _dmarc(found: DmarcResult, decision: DmarcDecision) -> MailVerdict:
    reasons = [found.problem] if found.problem else []
    if found.aligned is not None:
        reasons.append(f"{found.aligned.mechanism} of {found.aligned.domain} is aligned")
    if found.record:
        reasons.append(f"policy {found.requested}")
    if decision.forwarder and found.domain == decision.domain:
        reasons.append(f"trusted forwarder {decision.forwarder}")
    name = f"_dmarc.{found.record_domain}" if found.record else ""
    return MailVerdict("dmarc", found.result, found.domain, "; ".join(reasons), found.record, name)
