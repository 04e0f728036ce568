"""The DMARC report of a domain and day: XML in gzip, and the mail that brings it (RFC 9990 3, Appendix A). Pure functions."""

import gzip
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from mailkit import __version__
from queue_worker.reports import mail as mails
from queue_worker.reports.mail import DayReport
from queue_worker.storage.dmarc_results import DmarcDay, DmarcFacts

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
#: Tags of a policy record, in the order of their elements.
_TAGS = {"p": "p", "sp": "sp", "np": "np", "adkim": "adkim", "aspf": "aspf", "t": "testing"}


def content(report: DayReport, day: DmarcDay) -> bytes:
    """Return the report as XML in gzip."""
    root = Element("feedback", {"xmlns": NAMESPACE})
    _text(root, version="1.0")
    _metadata(SubElement(root, "report_metadata"), report, day.left_out)
    policy = dict(each.partition("=")[::2] for each in day.policy.split(";"))
    published = SubElement(root, "policy_published")
    _text(published, domain=report.domain, discovery_method="treewalk")
    _text(published, **{name: policy[tag] for tag, name in _TAGS.items() if tag in policy})
    for facts, messages in day.records:
        _record(SubElement(root, "record"), facts, messages)
    return gzip.compress(ElementTree.tostring(root, "utf-8", xml_declaration=True), mtime=0)


def mail(report: DayReport, content: bytes, recipients: Sequence[str]) -> bytes:
    """Return the mail that brings a report."""
    filename = f"{report.submitter}!{report.domain}!{report.begin}!{report.end}.xml.gz"
    return mails.mail(report, recipients, content, "gzip", filename).as_bytes()


def _metadata(of: Element, report: DayReport, left_out: int) -> None:
    _text(of, org_name=report.submitter, email=f"postmaster@{report.submitter}", report_id=report.identifier)
    _text(SubElement(of, "date_range"), begin=str(report.begin), end=str(report.end))
    if left_out:
        _text(of, error=f"{left_out} messages are not in this report, as there were too many different records.")
    _text(of, generator=f"Postrider {__version__}")


def _record(of: Element, f: DmarcFacts, messages: int) -> None:
    row = SubElement(of, "row")
    _text(row, source_ip=f.source, count=str(messages))
    evaluated = SubElement(row, "policy_evaluated")
    _text(evaluated, disposition=f.disposition, dkim=_passed(f.dkim), spf=_passed(f.spf))
    if f.reason:
        _text(SubElement(evaluated, "reason"), type=f.reason)
    identifiers = SubElement(of, "identifiers")
    _text(identifiers, header_from=f.header_from)
    _text(identifiers, **{k: v for k, v in (("envelope_from", f.envelope_from), ("envelope_to", f.envelope_to)) if v})
    results = SubElement(of, "auth_results")
    for domain, selector, result in f.signatures:
        _text(SubElement(results, "dkim"), domain=domain, selector=selector, result=result)
    _text(SubElement(results, "spf"), domain=f.spf_domain, scope="mfrom", result=f.spf_result)


def _passed(aligned: bool) -> str:
    return "pass" if aligned else "fail"


def _text(of: Element, **values: str) -> None:
    """Add an element with a text for each of `values`; characters that XML does not have, and other invisible ones, become "?"."""
    for name, value in values.items():
        SubElement(of, name).text = "".join(each if each.isprintable() else "?" for each in value)
