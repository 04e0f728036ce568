"""Notices to senders (S8, S9, S13; RFC 3461, RFC 3464): a text, a machine-readable report, and the original message.

Most are bounces; a delivery is reported if the sender asked for it, a delay if the setting says so (docs/decisions/0074).
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from mailkit.mail import xtext
from mailkit.mail.header import header_of
from queue_worker.models import Claim, Decision, Outcome
from queue_worker.storage.outcomes import Original
from queue_worker_api.wire import Submission, SubmissionRecipient

#: Octets up to which the original is attached whole; of a larger one only the header is.
WHOLE_ORIGINAL = 100 * 1024


def bounce(
    original: Original,
    attached: bytes,
    decisions: Sequence[Decision],
    helo_name: str,
    now: datetime,
    submission_id: UUID,
) -> Submission:
    """Return the notice of `decisions`, one for each recipient, as a submission from `<>`.

    `attached`: the original's body; empty if it is gone.
    """
    o = original
    to = o.sender_address or o.mail_from
    sender = SubmissionRecipient(to, o.mail_from, o.sender_mailbox, o.sender_limit, o.sender_limit_version)
    body = _render(original, attached, decisions, helo_name, now)
    return Submission(
        submission_id,
        "",
        [sender],
        body,
        eight_bit=not body.isascii(),
        smtputf8=not f"{original.mail_from}{to}".isascii(),
        tls="required" if any(d.claim.tls == "required" for d in decisions) else "",  # RFC 8689 5
    )


def _render(original: Original, attached: bytes, decisions: Sequence[Decision], helo_name: str, now: datetime) -> bytes:
    boundary = f"=_{secrets.token_hex(12)}"
    human = _human(decisions, helo_name).encode("utf-8", "replace")
    machine = _machine(original, decisions, helo_name, now).encode("utf-8", "replace")
    # RFC 6533 3: addresses beyond ASCII need the global form of the report
    report = "message/delivery-status" if machine.isascii() else "message/global-delivery-status"
    parts = [("text/plain; charset=utf-8", human), (report, machine)]
    failed = any(d.gives_up for d in decisions)
    # RFC 3461 4.3: RET is about failures, a report of anything else has the header only; RFC 8689 5: with REQUIRETLS as with RET=HDRS
    whole = failed and decisions[0].claim.ret != "HDRS" and all(d.claim.tls != "required" for d in decisions)
    subject = "failure" if failed else "delay" if any(d.delayed for d in decisions) else "delivery"
    if whole and 0 < len(attached) <= WHOLE_ORIGINAL:
        parts.append(("message/rfc822", attached))
    elif attached:
        parts.append(("text/rfc822-headers", header_of(attached, WHOLE_ORIGINAL)))
    # a multipart must not be 7bit if one of its parts is 8bit (RFC 2045 6.4)
    width = "7bit" if all(content.isascii() for _, content in parts) else "8bit"
    head = (
        f"From: Mail Delivery System <MAILER-DAEMON@{helo_name}>\r\n"
        f"To: {original.mail_from}\r\n"
        f"Subject: {subject} notice\r\n"
        f"Date: {format_datetime(now)}\r\n"
        f"Message-ID: <{secrets.token_hex(12)}@{helo_name}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n'
        f"Content-Transfer-Encoding: {width}\r\n"
        "\r\nThis is a delivery status notification in MIME format.\r\n"
    )
    pieces = [head.encode("utf-8", "replace")]
    for kind, content in parts:
        encoding = "" if content.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
        pieces += [f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n{encoding}\r\n".encode(), content]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(pieces)


def _human(decisions: Sequence[Decision], helo_name: str) -> str:
    """Return the part for people: the contract's texts verbatim, each line unwrapped."""
    lines = [f"Hi. This is the mail program at {helo_name}."]
    if failed := [d for d in decisions if d.gives_up]:
        lines += [
            "I'm afraid I wasn't able to deliver your message to the following addresses.",
            "This is a permanent error; I've given up. Sorry it didn't work out.",
            "",
            *_each(failed),
        ]
    if delayed := [d for d in decisions if d.delayed]:
        lines += [
            "Your message has not reached the following addresses yet. You need not send it again:",
            f"it is tried until {format_datetime(delayed[0].claim.expires)}.",
            "",
            *_each(delayed),
        ]
    if delivered := [d for d in decisions if _delivered(d)]:
        lines += ["Your message was delivered to the following addresses, as far as I can say.", "", *_each(delivered)]
    return "\r\n".join(lines)


def _delivered(decision: Decision) -> bool:
    return decision.outcome is Outcome.delivered


def _said(decision: Decision) -> str:
    """Return what a recipient's lines say: the reason, or of a delivery where the message is."""
    if not _delivered(decision):
        return decision.text
    if decision.claim.mailbox_id:
        return "It is in the mailbox."
    return f"{decision.result.remote_host} took it over, and does not send such notices."


def _each(decisions: Sequence[Decision]) -> list[str]:
    lines: list[str] = []
    for decision in decisions:
        claim = decision.claim
        lines.append(
            f"<{claim.original}>:"
            if claim.original == claim.address
            else f"<{claim.original}> (forwarded to <{claim.address}>):"
        )
        lines += [*_said(decision).split("\n"), ""]
    return lines


def _machine(original: Original, decisions: Sequence[Decision], helo_name: str, now: datetime) -> str:
    """Return the report (RFC 3464 2): one block about the message, and one per recipient."""
    blocks = [
        f"Reporting-MTA: dns; {helo_name}\r\n"
        f"X-Postrider-Queue-ID: {original.id.hex}\r\n"
        f"Arrival-Date: {format_datetime(original.first_seen)}\r\n"
    ]
    envid = xtext.decode(decisions[0].claim.envid)
    if envid:
        blocks[0] = f"Original-Envelope-Id: {envid}\r\n{blocks[0]}"
    for decision in decisions:
        claim, result = decision.claim, decision.result
        block = (
            f"Original-Recipient: {_original(claim)}\r\nFinal-Recipient: {_typed(claim.address)}\r\n"
            f"Action: {_action(decision)}\r\nStatus: {_status(decision)}\r\n"
        )
        if result.remote_host:
            block += f"Remote-MTA: dns; {_plain(result.remote_host)}\r\n"
        if result.diagnostic:
            block += f"Diagnostic-Code: smtp; {_plain(result.diagnostic)}\r\n"
        else:
            block += f"Diagnostic-Code: X-Postrider; {_plain(_said(decision))}\r\n"
        block += f"Last-Attempt-Date: {format_datetime(now)}\r\n"
        if decision.delayed:
            block += f"Will-Retry-Until: {format_datetime(claim.expires)}\r\n"
        blocks.append(block)
    return "\r\n".join(blocks)


def _original(claim: Claim) -> str:
    """Return the recipient as the sender named it (RFC 3461 5.2.1 c), or as the client's RCPT did."""
    kind, _, address = claim.orcpt.partition(";")
    return f"{kind}; {xtext.decode(address)}" if address else _typed(claim.original)


def _action(decision: Decision) -> str:
    """Return the action (RFC 3464 2.3.3); a host that took a message over and sends no reports is "relayed" to."""
    if _delivered(decision):
        return "delivered" if decision.claim.mailbox_id else "relayed"
    return "delayed" if decision.delayed else "failed"


def _status(decision: Decision) -> str:
    """Return the status in the class of the action: a final failure with 4.4.7 would deny itself (RFC 3463 3)."""
    status = decision.result.status
    kind = "2" if _delivered(decision) else "4" if decision.delayed else "5"
    if status.startswith(kind):
        return status
    return kind + status[1:] if kind != "2" and status[:1] in ("4", "5") else f"{kind}.0.0"


def _typed(address: str) -> str:
    return f"rfc822; {address}" if address.isascii() else f"utf-8; {address}"


def _plain(text: str) -> str:
    """Return `text` as one line of ASCII, as the fields of the report require (RFC 3464 2.1); at most 900 characters."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()[:900]
