"""What moves inside queue-worker: a claimed recipient, and what is recorded of its attempt."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from queue_worker.shares import NO_FLOW


@dataclass(frozen=True, slots=True)
class Claim:
    """One recipient this worker has claimed. (message, n, attempt) is the fence of every later write."""

    message_id: UUID
    n: int
    attempt: int
    address: str
    original: str
    mail_from: str
    body_id: UUID
    size: int
    first_seen: datetime
    expires: datetime
    tries: int
    destination: str = ""
    """The remote domain; "" for a mailbox of ours."""
    flow: UUID = NO_FLOW
    """Whose share of the outbound conversations it uses (docs/decisions/0036)."""
    mailbox_id: UUID | None = None
    quota_limit: int = 0
    limit_version: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    bounce: bool = False
    """Our own bounce: exempt from quota refusal."""
    via: str = ""
    """The address of ours whose forward or catch-all leads to it (docs/decisions/0038)."""
    looped: bool = False
    """The message already carries our Delivered-To for this recipient."""
    was_sent: bool = False
    """The final dot of the attempt before this one may have gone out, and no reply was recorded."""


class End(Enum):
    """How an attempt ended, for the record."""

    delivered = "delivered"
    failed = "failed"
    deferred = "deferred"
    waiting = "waiting"  # filing could not be tried; not a remote attempt
    in_doubt = "in_doubt"
    returned = "returned"
    postponed = "postponed"  # no slot for its remote address; not an attempt


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's end. `text` is what the sender would read (the contract's words); several lines for S13."""

    claim: Claim
    end: End
    status: str
    text: str
    remote_host: str | None = None
    diagnostic: str | None = None


#: The reason of 5.4.6.
LOOP = "This message is looping: it already has my Delivered-To line. (#5.4.6)"
#: Follows the reason when the lifetime is over (S9).
TOO_LONG = " I'm not going to try again; this message has been in the queue too long."
#: A reply's text is kept up to so many lines, each with so many characters (RFC 5322 2.1.1: 998 octets in a bounce).
_LINES, _COLUMNS = 100, 900


def clean(text: str) -> str:
    """`text` of a remote host as it can be stored, logged and bounced: printable, UTF-8, bounded; "\\n" between lines."""
    if len(text) <= _COLUMNS and text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    lines = text.replace("\r\n", "\n").split("\n")[:_LINES]
    return "\n".join("".join(c if c.isprintable() else " " for c in line[:_COLUMNS]) for line in lines)
