"""One mail transaction (RFC 5321 3.3): what aiosmtpd calls the envelope. RSET is a new one."""

from dataclasses import dataclass, field

from auth_client.wire import RelayRight, Target
from queue_worker_client.wire import SubmissionRecipient


@dataclass(slots=True)
class Recipient:
    """One accepted RCPT: what was written, and where it goes."""

    written: str
    targets: list[Target]


@dataclass(slots=True)
class Transaction:
    """`mail_from` None: no MAIL yet; "" is the null sender."""

    mail_from: str | None = None
    declared_size: int = 0
    eight_bit: bool = False
    smtputf8: bool = False
    sender_local: bool = False
    relay: RelayRight | None = None
    sender_target: SubmissionRecipient | None = None
    recipients: list[Recipient] = field(default_factory=list)
