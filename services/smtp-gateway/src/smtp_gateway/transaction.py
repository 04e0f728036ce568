"""One mail transaction (RFC 5321 3.3): what aiosmtpd calls the envelope. RSET is a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from auth_client.wire import RelayRight, Target
from queue_worker_client.wire import SubmissionRecipient


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
    recipients: list[str] = field(default_factory=list)
    """The accepted RCPT, as written."""
    targets: dict[UUID | str, SubmissionRecipient] = field(default_factory=dict)
    """Where they go; what is reached twice gets one message."""

    def add(self, written: str, targets: Sequence[Target], most: int) -> bool:
        """Take a recipient and its targets in; False when there would be more than `most`, and nothing is taken."""
        new = {
            key: SubmissionRecipient(
                target.address, written, target.mailbox_id, target.quota_limit, target.limit_version, target.via
            )
            for target in targets
            if (key := target.mailbox_id or target.address.lower()) not in self.targets
        }
        if len(self.targets) + len(new) > most:
            return False
        self.recipients.append(written)
        self.targets |= new
        return True
