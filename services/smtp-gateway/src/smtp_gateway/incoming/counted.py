"""What DMARC aggregate reports tell of a message (RFC 9990 3; docs/decisions/0092). Pure."""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.evaluate import DmarcResult
from mailauth.dmarc.record import DmarcRecord, parse
from mailauth.dmarc.reports import destinations
from mailauth.spf.check import SpfResult
from mailkit.mail.header import Header
from queue_worker_api.wire import DkimCount, DmarcCount, Stamp
from smtp_gateway.incoming.examine import Examined
from smtp_gateway.incoming.policy import Consequence, DmarcDecision

Disposition = Literal["none", "pass", "quarantine", "reject"]
Reason = Literal["", "local_policy", "trusted_forwarder", "policy_test_mode"]

_APPLIED: dict[Consequence, Disposition] = {"none": "none", "junk": "quarantine", "refuse": "reject", "defer": "none"}
#: A domain that can be a part of a file's name and of a Subject.
_PLAIN = re.compile(r"[a-z0-9_.-]{1,253}")
#: Characters of a name that a stranger chooses.
MOST_NAME = 253


def counted(found: Examined, decision: DmarcDecision, header: bytes) -> list[DmarcCount]:
    """Return what is counted: one for each domain in From whose policy record asks for reports by mail.

    A result that the DNS left open is not counted, nor is a report, which would be answered by a report forever.
    """
    spf = found.spf or found.helo
    if spf is None:
        return []
    return [_count(each, record, spf, found, decision) for each, record in _asking(found, header)]


def as_rejected(stamp: Stamp) -> Stamp:
    """Return the stamp of a message that is refused as it failed DMARC."""
    changed = [
        each if each.dkim or each.spf else replace(each, disposition="reject", reason="") for each in stamp.counted
    ]
    return replace(stamp, counted=changed)


def _asking(found: Examined, header: bytes) -> Iterator[tuple[DmarcResult, DmarcRecord]]:
    for each in found.dmarc:
        if each.result not in ("pass", "fail") or not each.record:
            continue
        if each.result == "pass" and _is_report(header):
            continue
        record = parse(each.record.encode("ascii", "replace"))
        if destinations(record.rua) and _PLAIN.fullmatch(each.record_domain):
            yield each, record


def _is_report(header: bytes) -> bool:
    """Return whether a message is a report to us, by its Subject (RFC 9990 3, RFC 8460 5.3)."""
    return any(each.split()[:2] == [b"Report", b"Domain:"] for each in Header(header).values(b"subject"))


def _count(
    result: DmarcResult, record: DmarcRecord, spf: SpfResult, found: Examined, decision: DmarcDecision
) -> DmarcCount:
    disposition, reason = _disposition(result, decision)
    return DmarcCount(
        result.record_domain,
        _policy(record),
        result.domain,
        disposition,
        reason,
        "dkim" in result.mechanisms,
        "spf" in result.mechanisms,
        spf.domain[:MOST_NAME] if spf.identity == "mailfrom" else "",
        spf.domain[:MOST_NAME],
        spf.result,
        [_signature(each) for each in found.dkim if each.signature is not None],
    )


def _disposition(result: DmarcResult, decision: DmarcDecision) -> tuple[Disposition, Reason]:
    """Return what was applied, and why that is not what the owner asks for."""
    if result.result == "pass":
        return ("none" if result.policy == "none" else "pass"), ""
    applied = _APPLIED[decision.consequence]
    if applied == result.policy:
        return applied, ""
    if decision.forwarder:
        return applied, "trusted_forwarder"
    return applied, "policy_test_mode" if applied == result.requested else "local_policy"


def _policy(record: DmarcRecord) -> str:
    sp = record.sp or record.p
    tags = {
        "p": record.p,
        "sp": sp,
        "np": record.np or sp,
        "adkim": "s" if record.strict_dkim else "r",
        "aspf": "s" if record.strict_spf else "r",
        "t": "y" if record.testing else "n",
    }
    return ";".join(f"{name}={value}" for name, value in tags.items())


def _signature(found: DkimResult) -> DkimCount:
    signature = found.signature
    assert signature is not None
    result = "policy" if found.result == "pass" and found.partial else found.result  # RFC 8601 2.7.1
    return DkimCount(signature.domain[:MOST_NAME], signature.selector[:MOST_NAME], result)
