"""Bounces (S8, S9, S13; RFC 3464): a text for the sender, a machine-readable report, and the original message."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from mailkit.mail.header import header_of
from queue_worker.models import Result
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
    """Return the bounce for `results` ((attempt, final text) of each recipient given up) as a submission from `<>`.

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
    if 0 < len(attached) <= WHOLE_ORIGINAL:
        parts.append(("message/rfc822", attached))
    elif attached:
        parts.append(("text/rfc822-headers", header_of(attached, WHOLE_ORIGINAL)))
    # a multipart must not be 7bit if one of its parts is 8bit (RFC 2045 6.4)
    width = "7bit" if all(content.isascii() for _, content in parts) else "8bit"
    head = (
        f"From: Mail Delivery System <MAILER-DAEMON@{helo_name}>\r\n"
        f"To: {original.mail_from}\r\n"
        "Subject: failure notice\r\n"
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
    lines = [
        f"Hi. This is the mail program at {helo_name}.",
        "I'm afraid I wasn't able to deliver your message to the following addresses.",
        "This is a permanent error; I've given up. Sorry it didn't work out.",
        "",
    ]
    for result, text in results:
        claim = result.claim
        lines.append(
            f"<{claim.original}>:"
            if claim.original == claim.address
            else f"<{claim.original}> (forwarded to <{claim.address}>):"
        )
        lines += [*text.split("\n"), ""]
    return "\r\n".join(lines)


def _machine(original: Original, results: Sequence[tuple[Result, str]], helo_name: str, now: datetime) -> str:
    """Return the report (RFC 3464 2): one block about the message, and one per recipient."""
    blocks = [
        f"Reporting-MTA: dns; {helo_name}\r\n"
        f"X-Postrider-Queue-ID: {original.id.hex}\r\n"
        f"Arrival-Date: {format_datetime(original.first_seen)}\r\n"
    ]
    for result, text in results:
        claim = result.claim
        block = (
            f"Original-Recipient: {_typed(claim.original)}\r\nFinal-Recipient: {_typed(claim.address)}\r\n"
            f"Action: failed\r\nStatus: {_permanent(result.status)}\r\n"
        )
        if result.remote_host:
            block += f"Remote-MTA: dns; {_plain(result.remote_host)}\r\n"
        if result.diagnostic:
            block += f"Diagnostic-Code: smtp; {_plain(result.diagnostic)}\r\n"
        else:
            block += f"Diagnostic-Code: X-Postrider; {_plain(text)}\r\n"
        blocks.append(block + f"Last-Attempt-Date: {format_datetime(now)}\r\n")
    return "\r\n".join(blocks)


def _typed(address: str) -> str:
    return f"rfc822; {address}" if address.isascii() else f"utf-8; {address}"


def _plain(text: str) -> str:
    """Return `text` as one line of ASCII, as the fields of the report require (RFC 3464 2.1); at most 900 characters."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()[:900]


def _permanent(status: str) -> str:
    """Return `status` in class 5: the failure is final, which a status such as 4.4.7 would deny (RFC 3463 3)."""
    return "5" + status[1:] if status[:1] == "4" else status or "5.0.0"
