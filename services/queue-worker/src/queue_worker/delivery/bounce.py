"""Notices to senders (S8, S9, S13; RFC 3461, RFC 3464): a text, a machine-readable report, and the original message.

Most are bounces; a delivery is reported if the sender asked for it.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from mailkit.mail import xtext
from mailkit.mail.header import header_of
from queue_worker.models import Claim, Outcome, Result
from queue_worker.storage.outcomes import Original
from queue_worker_api.wire import Submission, SubmissionRecipient

#: Octets up to which the original is attached whole; of a larger one only the header is.
WHOLE_ORIGINAL = 100 * 1024


def bounce(
    original: Original,
    attached: bytes,
    results: Sequence[tuple[Result, str]],
    helo_name: str,
    now: datetime,
    submission_id: UUID,
) -> Submission:
    """Return the notice of `results` ((attempt, final text) of each recipient) as a submission from `<>`.

    `attached`: the original's body; empty if it is gone.
    """
    o = original
    sender = SubmissionRecipient(o.mail_from, o.mail_from, o.sender_mailbox, o.sender_limit, o.sender_limit_version)
    body = _render(original, attached, results, helo_name, now)
    return Submission(
        submission_id,
        "",
        [sender],
        body,
        eight_bit=not body.isascii(),
        smtputf8=not original.mail_from.isascii(),
    )


def _render(
    original: Original, attached: bytes, results: Sequence[tuple[Result, str]], helo_name: str, now: datetime
) -> bytes:
    boundary = f"=_{secrets.token_hex(12)}"
    human = _human(results, helo_name).encode("utf-8", "replace")
    machine = _machine(original, results, helo_name, now).encode("utf-8", "replace")
    # RFC 6533 3: addresses beyond ASCII need the global form of the report
    report = "message/delivery-status" if machine.isascii() else "message/global-delivery-status"
    parts = [("text/plain; charset=utf-8", human), (report, machine)]
    failed = any(not _delivered(result) for result, _ in results)
    # RFC 3461 4.3: RET is about failures, a report of deliveries has the header only
    whole = failed and results[0][0].claim.ret != "HDRS"
    if whole and 0 < len(attached) <= WHOLE_ORIGINAL:
        parts.append(("message/rfc822", attached))
    elif attached:
        parts.append(("text/rfc822-headers", header_of(attached, WHOLE_ORIGINAL)))
    # a multipart must not be 7bit if one of its parts is 8bit (RFC 2045 6.4)
    width = "7bit" if all(content.isascii() for _, content in parts) else "8bit"
    head = (
        f"From: Mail Delivery System <MAILER-DAEMON@{helo_name}>\r\n"
        f"To: {original.mail_from}\r\n"
        f"Subject: {'failure' if failed else 'delivery'} notice\r\n"
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


def _human(results: Sequence[tuple[Result, str]], helo_name: str) -> str:
    """Return the part for people: the contract's texts verbatim, each line unwrapped."""
    lines = [f"Hi. This is the mail program at {helo_name}."]
    failed = [(result, text) for result, text in results if not _delivered(result)]
    if failed:
        lines += [
            "I'm afraid I wasn't able to deliver your message to the following addresses.",
            "This is a permanent error; I've given up. Sorry it didn't work out.",
            "",
            *_each(failed),
        ]
    if len(failed) < len(results):
        lines += ["Your message was delivered to the following addresses, as far as I can say.", ""]
        lines += _each([(result, _said(result)) for result, _ in results if _delivered(result)])
    return "\r\n".join(lines)


def _delivered(result: Result) -> bool:
    return result.outcome is Outcome.delivered


def _said(result: Result) -> str:
    if result.claim.mailbox_id:
        return "It is in the mailbox."
    return f"{result.remote_host} took it over, and does not send such notices."


def _each(results: Sequence[tuple[Result, str]]) -> list[str]:
    lines: list[str] = []
    for result, text in results:
        claim = result.claim
        lines.append(
            f"<{claim.original}>:"
            if claim.original == claim.address
            else f"<{claim.original}> (forwarded to <{claim.address}>):"
        )
        lines += [*text.split("\n"), ""]
    return lines


def _machine(original: Original, results: Sequence[tuple[Result, str]], helo_name: str, now: datetime) -> str:
    """Return the report (RFC 3464 2): one block about the message, and one per recipient."""
    blocks = [
        f"Reporting-MTA: dns; {helo_name}\r\n"
        f"X-Postrider-Queue-ID: {original.id.hex}\r\n"
        f"Arrival-Date: {format_datetime(original.first_seen)}\r\n"
    ]
    envid = xtext.decode(results[0][0].claim.envid)
    if envid:
        blocks[0] = f"Original-Envelope-Id: {envid}\r\n{blocks[0]}"
    for result, text in results:
        claim = result.claim
        block = (
            f"Original-Recipient: {_original(claim)}\r\nFinal-Recipient: {_typed(claim.address)}\r\n"
            f"Action: {_action(result)}\r\nStatus: {_status(result)}\r\n"
        )
        if result.remote_host:
            block += f"Remote-MTA: dns; {_plain(result.remote_host)}\r\n"
        if result.diagnostic:
            block += f"Diagnostic-Code: smtp; {_plain(result.diagnostic)}\r\n"
        else:
            block += f"Diagnostic-Code: X-Postrider; {_plain(text)}\r\n"
        blocks.append(block + f"Last-Attempt-Date: {format_datetime(now)}\r\n")
    return "\r\n".join(blocks)


def _original(claim: Claim) -> str:
    """Return the recipient as the sender named it (RFC 3461 5.2.1 c), or as the client's RCPT did."""
    kind, _, address = claim.orcpt.partition(";")
    return f"{kind}; {xtext.decode(address)}" if address else _typed(claim.original)


def _action(result: Result) -> str:
    """Return the action (RFC 3464 2.3.3); a host that took a message over and sends no reports is "relayed" to."""
    if not _delivered(result):
        return "failed"
    return "delivered" if result.claim.mailbox_id else "relayed"


def _status(result: Result) -> str:
    if not _delivered(result):
        return _permanent(result.status)
    return result.status if result.status[:1] == "2" else "2.0.0"


def _typed(address: str) -> str:
    return f"rfc822; {address}" if address.isascii() else f"utf-8; {address}"


def _plain(text: str) -> str:
    """Return `text` as one line of ASCII, as the fields of the report require (RFC 3464 2.1); at most 900 characters."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()[:900]


def _permanent(status: str) -> str:
    """Return `status` in class 5: the failure is final, which a status such as 4.4.7 would deny (RFC 3463 3)."""
    return "5" + status[1:] if status[:1] == "4" else status or "5.0.0"
