"""The TLS report of a domain and day: JSON, and the mail that brings it (RFC 8460 4.4, 5.3; docs/decisions/0098). Pure functions."""

import gzip
import json
import re
from collections.abc import Sequence
from typing import Any

from mailauth.dmarc.reports import mail_address
from queue_worker.reports import mail as mails
from queue_worker.reports.mail import DayReport
from queue_worker.storage.tls_results import TlsSession

#: Most policies of a report, failures of each, and places that a report goes to.
MOST_POLICIES, MOST_FAILURES, MOST_PLACES = 50, 500, 5

_URL = re.compile(r"https://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?(?:/[!-~]*)?")


def places(records: Sequence[bytes]) -> list[str]:
    """Return the addresses and https URLs in the TXT records of `_smtp._tls.<domain>` (RFC 8460 3); none if there is not just one."""
    found = [record for record in records if record.startswith(b"v=TLSRPTv1;")]
    if len(found) != 1:
        return []
    rua = ""
    for field in found[0].decode("ascii", "replace").split(";")[1:]:
        name, _, value = field.strip().partition("=")
        if name.strip() == "rua":
            rua = value
            break
    known: list[str] = []
    for uri in rua.split(",", MOST_PLACES)[:MOST_PLACES]:
        uri = uri.strip()
        if address := mail_address(uri):
            known.append(address)
        elif _URL.fullmatch(uri):
            known.append(uri)
    return known


def content(report: DayReport, results: Sequence[tuple[TlsSession, int]]) -> bytes:
    """Return the report as JSON in gzip."""
    policies: dict[tuple[str, str], list[tuple[TlsSession, int]]] = {}
    for session, count in results:
        policies.setdefault((session.policy, session.record), []).append((session, count))
    told = {
        "organization-name": report.submitter,
        "date-range": {"start-datetime": f"{report.day}T00:00:00Z", "end-datetime": f"{report.day}T23:59:59Z"},
        "contact-info": f"postmaster@{report.submitter}",
        "report-id": report.identifier,
        "policies": [_policy(report.domain, each) for each in list(policies.values())[:MOST_POLICIES]],
    }
    return gzip.compress(json.dumps(told, indent=1).encode(), mtime=0)


def _policy(domain: str, results: Sequence[tuple[TlsSession, int]]) -> dict[str, Any]:
    first = results[0][0]
    about: dict[str, Any] = {"policy-type": first.policy, "policy-domain": domain}
    if first.strings:
        about["policy-string"] = first.strings.split("\n")
    if first.mx:
        about["mx-host"] = first.mx.split("\n")
    failures = [(session, count) for session, count in results if session.failure]
    failed = sum(count for _, count in failures)
    return {
        "policy": about,
        "summary": {
            "total-successful-session-count": sum(count for _, count in results) - failed,
            "total-failure-session-count": failed,
        },
        "failure-details": [_failure(session, count) for session, count in failures[:MOST_FAILURES]],
    }


def _failure(session: TlsSession, count: int) -> dict[str, Any]:
    detail: dict[str, Any] = {"result-type": session.failure, "failed-session-count": count}
    if session.host:
        detail |= {"receiving-mx-hostname": session.host, "receiving-ip": session.address}
    if session.source:
        detail["sending-mta-ip"] = session.source
    return detail


def mail(report: DayReport, content: bytes, recipients: Sequence[str]) -> bytes:
    """Return the mail that brings a report. It asks not to be kept back by TLS policies (RFC 8460 5.3, RFC 8689 3)."""
    r = report
    unique = r.identifier.partition("@")[0]
    filename = f"{r.submitter}!{r.domain}!{r.begin}!{r.end}!{unique}.json.gz"
    message = mails.mail(r, recipients, content, "tlsrpt+gzip", filename)
    message["TLS-Report-Domain"] = r.domain
    message["TLS-Report-Submitter"] = r.submitter
    message["TLS-Required"] = "No"
    message.set_type("multipart/report")
    message.set_param("report-type", "tlsrpt")
    return message.as_bytes()
