"""The data classes of queue-worker: a claimed recipient, and the result of its attempt."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

#: The flow of messages that no client sent: our own bounces, and rows from before flows were distinguished.
NO_FLOW = UUID(int=0)
#: A flow and a destination domain, "" for local mailboxes; the due mail of a pair is claimed together.
Pair = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """One recipient that this worker has claimed. Every later write is fenced by (message_id, n, attempt)."""

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
    """The remote domain; "" for a local mailbox."""
    flow: UUID = NO_FLOW
    """The flow whose share of the outbound conversations it uses (docs/decisions/0036)."""
    mailbox_id: UUID | None = None
    quota_limit: int = 0
    limit_version: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    bounce: bool = False
    """Our own bounce: exempt from quota refusal."""
    via: str = ""
    """The local address whose forward or catch-all leads to the recipient (docs/decisions/0038); "" if there is none."""
    looped: bool = False
    """The message already carries our Delivered-To for this recipient."""
    was_sent: bool = False
    """The attempt before this one may have sent its final dot, and no reply was recorded."""


class End(Enum):
    """How an attempt ended."""

    delivered = "delivered"
    failed = "failed"
    deferred = "deferred"
    waiting = "waiting"  # filing could not be tried; not a remote attempt
    in_doubt = "in_doubt"
    returned = "returned"
    postponed = "postponed"  # no slot for its remote address; not an attempt


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt. `text` is what a bounce would say, in the contract's words; several lines for S13."""

    claim: Claim
    end: End
    status: str
    text: str
    remote_host: str | None = None
    diagnostic: str | None = None


#: The reason given with 5.4.6.
LOOP = "This message is looping: it already has my Delivered-To line. (#5.4.6)"
#: Appended to the reason when the message's lifetime is over (S9).
TOO_LONG = " I'm not going to try again; this message has been in the queue too long."
#: Most lines kept of a reply, and most characters of each (RFC 5322 2.1.1: a line of a bounce has at most 998 octets).
_LINES, _COLUMNS = 100, 900


def clean(text: str) -> str:
    """Return `text` of a remote host as it can be stored, logged and bounced: printable UTF-8, bounded; "\\n" between lines."""
    if len(text) <= _COLUMNS and text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode()
    lines = text.replace("\r\n", "\n").split("\n")[:_LINES]
    return "\n".join("".join(c if c.isprintable() else " " for c in line[:_COLUMNS]) for line in lines)
