"""The data classes of queue-worker: a claimed recipient, the result of its attempt, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from time import time_ns
from uuid import UUID

import msgspec

from queue_worker_api.wire import Origin, Stamp

#: The flow of messages that no client sent: our own bounces, and rows from before flows were distinguished.
NO_FLOW = UUID(int=0)
#: Earlier and later than any due time.
EVER = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
#: The due time of what an operator holds.
HELD = datetime(9999, 1, 1, tzinfo=UTC)
#: A flow and a destination domain, "" for local mailboxes; the due mail of a pair is claimed together.
Pair = tuple[UUID, str]
#: A recipient: its message's id and its number there.
Key = tuple[UUID, int]


class NewRecipient(msgspec.Struct, frozen=True):
    """A recipient to insert, its fields in the order of the type queue.new_recipient_2. `destination` and `flow` are its Pair."""

    n: int
    destination: str
    address: str
    original: str
    mailbox_id: UUID | None
    quota_limit: int
    limit_version: int
    looped: bool
    flow: UUID
    via: str
    sender: str = ""


class QueueEntry(msgspec.Struct, frozen=True):
    """A message to insert: a hand-over, or a `bounce` of ours. `sender_*`: where its own bounce goes, if that is here."""

    queue_id: UUID
    """The hand-over's id, which Received, the 250 reply and every log line name (docs/decisions/0019)."""
    mail_from: str
    body_id: UUID
    body: bytes
    account: UUID | None
    client_address: str | None
    eight_bit: bool
    smtputf8: bool
    bounce: bool
    sender_mailbox: UUID | None
    sender_limit: int
    sender_limit_version: int
    recipients: tuple[NewRecipient, ...]
    origin: Origin = Origin()
    header_id: str | None = None
    """Message-ID of the header, for the trace."""
    bounce_of: UUID | None = None
    asked: tuple["DsnRequest", ...] = ()
    """What the client asked for each recipient, in order; empty if it asked nothing (RFC 3461)."""
    stamp: Stamp = Stamp()
    traceparent: str = ""
    """The trace of the message (docs/decisions/0102)."""
    sender_address: str = ""
    """Where its own bounce goes, if the sender is an address of ours that leads elsewhere."""


class DsnRequest(msgspec.Struct, frozen=True):
    """What a sender asked about notifications of one recipient (RFC 3461 4) and about TLS, each "" if it did not."""

    notify: str
    orcpt: str
    ret: str
    envid: str
    tls: str


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One recipient that this worker has claimed. Every later write is fenced by (message_id, n, attempt).

    A claim equals only itself, and may be a key.
    """

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
    sender: str = ""
    """The envelope sender of this copy; "" for `mail_from`, which bounces go to in any case (docs/decisions/0093)."""
    looped: bool = False
    """The message already carries our Delivered-To for this recipient."""
    was_sent: bool = False
    """The attempt before this one may have sent its final dot, and no reply was recorded."""
    due: datetime = EVER
    """When the recipient had become due."""
    notify: str = ""
    orcpt: str = ""
    ret: str = ""
    envid: str = ""
    """The client's wishes about notifications (`DsnRequest`)."""
    tls: str = ""
    """What the sender asks about TLS (`queue_worker_api.wire.TlsRequest`)."""
    account: UUID | None = None
    """The mailbox whose right to relay was used."""
    delay_noted: bool = False
    """The sender has had a notice of the delay."""
    traceparent: str | None = None
    """The trace of the message (docs/decisions/0102)."""
    claimed: int = field(default_factory=time_ns)
    """When it was claimed, for the span of the attempt: nanoseconds since the epoch."""
    folder: str = ""
    flags: Sequence[str] = ()
    dmarc_failed: bool = False
    """Of the message's `Stamp`: `folder` and `flags` of a local recipient, `dmarc_failed` of a remote one."""
    route: str = ""
    """The name of the route that an operator chose for it, "" for none (docs/decisions/0083)."""

    @property
    def unforwardable(self) -> bool:
        """Whether it is a copy that a forward sends elsewhere of a message that failed DMARC: it is not tried."""
        return self.dmarc_failed and bool(self.via) and self.mailbox_id is None

    def wants(self, event: str, *, default: bool) -> bool:
        """Return whether the sender is to hear of `event` (RFC 3461 4.1); `default`: of senders that asked nothing."""
        return "@" in self.mail_from and (event in self.notify.split(",") if self.notify else default)

    @property
    def key(self) -> Key:
        """The recipient."""
        return self.message_id, self.n


class Outcome(Enum):
    """How an attempt for one recipient ended."""

    delivered = "delivered"
    """Filed, or the remote host answered the final dot with 2xx: it has the message now (RFC 5321 4.2.5)."""
    failed = "failed"
    """Refused for good: 5xx, no such domain, S13, S15."""
    expired = "expired"
    """Not delivered when the message's lifetime is over (S8)."""
    deferred = "deferred"
    """Not delivered, may be tried again: 4xx, no connection, DNS trouble, S9, S11."""
    unfiled = "unfiled"
    """Deferred, and not by the remote schedule: mailstore did not answer, or could not file it."""
    in_doubt = "in_doubt"
    """The final dot was sent and no reply was read: whether the message is delivered is unknown (decision 6)."""
    returned = "returned"
    """Nothing was done (stopped, or the attempt was lost): the claim may be given back at once.
    The "dot sent" mark may have been committed all the same; no dot followed it."""
    postponed = "postponed"
    """Returned, and tried again soon: as many conversations as allowed wait for a first answer of its address."""


#: The outcomes that the history, the log and the metrics know: an unfiled one is deferred there, a postponed one returned.
RECORDED = tuple(outcome for outcome in Outcome if outcome not in (Outcome.unfiled, Outcome.postponed))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt.

    `status` is an RFC 3463 code; `text` the reason a sender reads in a bounce (the contract's text, unwrapped; S13 has
    several lines, separated by "\\n"); `diagnostic` the remote reply for Diagnostic-Code (RFC 3464 2.3.6), if there was one;
    `tls` the protocol version the message went out under.
    """

    claim: Claim
    outcome: Outcome
    status: str
    text: str
    remote_host: str | None = None
    diagnostic: str | None = None
    tls: str | None = None
    reached: bool = True
    """Whether a host of the domain answered."""
    passed: bool = False
    """Whether the host took over what the client asked about notifications (RFC 3461 5.2.2)."""
    connection: str = field(default="", compare=False)
    """For the trace: the address of `remote_host` that was tried, the TLS version and cipher, whether the name was verified."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows an attempt: its outcome as RECORDED, the text with it, and when the recipient is `due` again."""

    result: Result
    outcome: Outcome
    text: str
    due: datetime
    delayed: bool = False
    """The recipient waits on, and the sender is notified of the delay."""

    @property
    def claim(self) -> Claim:
        """The recipient, as it was claimed."""
        return self.result.claim

    @property
    def is_final(self) -> bool:
        """Whether the recipient leaves the queue."""
        return self.outcome is Outcome.delivered or self.gives_up

    @property
    def gives_up(self) -> bool:
        """Whether the recipient leaves the queue undelivered."""
        return self.outcome is Outcome.failed or self.outcome is Outcome.expired

    @property
    def bounces(self) -> bool:
        """Whether the recipient is given up and there is a sender to notify, who did not ask for no such notice (RFC 3461 4.1)."""
        if self.claim.unforwardable:
            return False  # whoever is named as its sender has most likely not sent it
        return self.gives_up and self.claim.wants("FAILURE", default=True)

    @property
    def notifies(self) -> bool:
        """Whether the sender is notified: of a failure or a delay, or as asked of a delivery that no other host reports (RFC 3461 5.2.2)."""
        if self.outcome is not Outcome.delivered:
            return self.delayed or self.bounces
        return not self.result.passed and self.claim.wants("SUCCESS", default=False)


#: The reason given with 5.4.6.
LOOP = "This message is looping: it already has my Delivered-To line. (#5.4.6)"
#: The reason given for a copy that is `unforwardable` (docs/decisions/0093).
NOT_FORWARDED = "It failed DMARC, and the domain in From asks to reject such mail: it is not forwarded. (#5.7.1)"
#: Begins the reason given for an address that is not tried, because it bounced hard (docs/decisions/0086).
SUPPRESSED = "Sorry, mail from you to this address is no longer tried. (#5.7.1)"
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
