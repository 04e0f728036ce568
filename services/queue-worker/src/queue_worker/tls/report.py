"""The TLS report of a domain and day: JSON, and the mail that brings it (RFC 8460 4.4, 5.3; docs/decisions/0098). Pure functions."""

import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import unquote

from queue_worker.storage.tls_results import TlsSession

#: Most policies of a report, failures of each, and places that a report goes to.
MOST_POLICIES, MOST_FAILURES, MOST_PLACES = 50, 500, 5

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
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
        if uri.lower().startswith("mailto:") and _ADDRESS.fullmatch(address := unquote(uri[7:])):
            known.append(address)
        elif _URL.fullmatch(uri):
            known.append(uri)
    return known


def report(domain: str, day: date, results: Sequence[tuple[TlsSession, int]], submitter: str) -> bytes:
    """Return the report of `domain` as JSON in gzip."""
    policies: dict[tuple[str, str], list[tuple[TlsSession, int]]] = {}
    for session, count in results:
        policies.setdefault((session.policy, session.record), []).append((session, count))
    content = {
        "organization-name": submitter,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": f"postmaster@{submitter}",
        "report-id": identifier(domain, day, submitter),
        "policies": [_policy(domain, each) for each in list(policies.values())[:MOST_POLICIES]],
    }
    return gzip.compress(json.dumps(content, indent=1).encode(), mtime=0)


def identifier(domain: str, day: date, submitter: str) -> str:
    """Return the id of a report: the same for the same domain and day."""
    return f"{day}_{hashlib.sha256(f'{domain} {submitter}'.encode()).hexdigest()[:20]}"


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
    return detail


def mail(domain: str, day: date, content: bytes, submitter: str, recipients: Sequence[str]) -> bytes:
    """Return the mail that brings a report. It asks not to be kept back by TLS policies (RFC 8460 5.3, RFC 8689 3)."""
    name = identifier(domain, day, submitter)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"tls-reports@{submitter}"
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"Report Domain: {domain} Submitter: {submitter} Report-ID: <{name}@{submitter}>"
    message["Message-ID"] = f"<{name}@{submitter}>"
    message["TLS-Report-Domain"] = domain
    message["TLS-Report-Submitter"] = submitter
    message["TLS-Required"] = "No"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"This is an aggregate TLS report of {submitter} about mail to {domain} on {day}.\n")
    message.add_attachment(
        content,
        maintype="application",
        subtype="tlsrpt+gzip",
        filename=f"{submitter}!{domain}!{day}!{day}!{name}.json.gz",
    )
    message.set_type("multipart/report")
    message.set_param("report-type", "tlsrpt")
    return message.as_bytes()
