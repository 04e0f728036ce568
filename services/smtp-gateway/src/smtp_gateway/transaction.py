"""One mail transaction (RFC 5321 3.3). RSET begins a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from auth_api.wire import RelayRight, Target
from queue_worker_api.wire import Stamp, SubmissionRecipient, TlsRequest


@dataclass(slots=True)
class Transaction:
    """The state of a mail transaction. `mail_from`: None before MAIL, "" for the null sender."""

    mail_from: str | None = None
    declared_size: int = 0
    received_size: int = 0
    """Octets of the message, once it was read."""
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    """RET and ENVID (RFC 3461), "" if not given."""
    tls: TlsRequest = ""
    """What the sender asks about TLS (RFC 8689)."""
    sender_local: bool = False
    from_rule: str = ""
    """Whether auth is to be asked about From (`auth_api.wire.SenderAnswer.from_rule`)."""
    relay: RelayRight | None = None
    sender_target: SubmissionRecipient | None = None
    stamp: Stamp = Stamp()
    """What was found out about a message from outside."""
    traceparent: str = ""
    """The trace that the message's next steps belong to (docs/decisions/0102)."""
    leaves: bool = False
    """Whether a target is elsewhere."""
    recipients: list[str] = field(default_factory=list)
    """Addresses of the accepted RCPT commands, as written by the client."""
    targets: dict[UUID | str, SubmissionRecipient] = field(default_factory=dict)
    """Final targets of the recipients; one that is reached twice gets one copy."""

    @property
    def size(self) -> int:
        """Octets of the message as far as it is known, else as declared."""
        return self.received_size or self.declared_size

    @property
    def only_forwards(self) -> bool:
        """Whether every target is elsewhere, and reached by a forward or catch-all of ours."""
        return all(target.mailbox_id is None and target.via for target in self.targets.values())

    def add(self, written: str, targets: Sequence[Target], most: int, notify: str = "", orcpt: str = "") -> bool:
        """Add a recipient and its targets; False, with nothing added, if there would be more than `most` targets."""
        new = {
            key: SubmissionRecipient(
                target.address,
                written,
                target.mailbox_id,
                target.quota_limit,
                target.limit_version,
                target.via,
                notify,
                orcpt,
                target.sender,
            )
            for target in targets
            if (key := target.mailbox_id or target.address.lower()) not in self.targets
        }
        if len(self.targets) + len(new) > most:
            return False
        self.leaves = self.leaves or any(target.mailbox_id is None for target in targets)
        self.recipients.append(written)
        self.targets |= new
        return True
