"""What moves inside queue-worker: a claimed recipient, and what is recorded of its attempt."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID


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
    mailbox_id: UUID | None = None
    quota_limit: int = 0
    limit_version: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    was_sent: bool = False


class End(Enum):
    """How an attempt ended, for the record."""

    delivered = "delivered"
    failed = "failed"
    deferred = "deferred"
    waiting = "waiting"  # filing could not be tried; not a remote attempt
    in_doubt = "in_doubt"
    returned = "returned"


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt's end. `text` is what the sender would read (the spec's words); several lines for S13."""

    claim: Claim
    end: End
    status: str
    text: str
    remote_host: str | None = None
    diagnostic: str | None = None


#: Follows the reason when the lifetime is over (S9).
TOO_LONG = " I'm not going to try again; this message has been in the queue too long."
