"""Messages to and from the queue's endpoints. Fields are only added at the end, with defaults.

Endpoints: POST /v1/submissions (a list, at most 100 items and 8 MB of bodies); PUT /v1/submissions/large (one, framed:
4 bytes length, Submission with an empty body, then the body's bytes) for bodies over LARGE_BODY; POST /v1/refusals (a list of what
was refused, for the trace). Caller: gateway.
"""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Traceparent, Wire, at_most

VERSION = 1
LARGE_BODY = 256 * 1024
LIST_ITEMS = 100
#: Most refusals in one list, and most recipients that one names.
MOST_REFUSALS = 500
MOST_NAMED = 20
#: Verdicts about one message, flags of it, domains in its From that are counted, and signatures of these counts.
MOST_VERDICTS, MOST_FLAGS, MOST_COUNTED, MOST_SIGNATURES = 32, 10, 8, 32
#: Limit of recipients of one message; the gateway accepts TARGETS_PER_MESSAGE, at most 32,767.
MOST_RECIPIENTS = 40_000
LIST_BYTES = 8 * 1024 * 1024


class SubmissionRecipient(Wire):
    """One final recipient, resolved at RCPT (decision 5): a mailbox, or with `mailbox_id` None a remote address.

    `original` is the address in the client's RCPT; bounces name it beside `address`. `via` is the local address whose
    forward or catch-all leads to it, "" for none: a remote copy carries it in Delivered-To (docs/decisions/0038).
    """

    address: str
    original: str
    mailbox_id: UUID | None = None
    quota_limit: int = 0
    limit_version: int = 0
    via: str = ""
    notify: str = ""
    """NOTIFY as the client gave it, in capitals (RFC 3461 4.1); "" if it gave none."""
    orcpt: str = ""
    """ORCPT as the client gave it, in xtext (RFC 3461 4.2); "" if it gave none."""
    sender: str = ""
    """The envelope sender of a copy that a forward sends elsewhere (docs/decisions/0093); "" for that of MAIL."""

    @property
    def loop_address(self) -> str:
        """The Delivered-To of a message that passed here before on its way to this recipient; "" if it has none."""
        return self.address if self.mailbox_id else self.via


class Origin(Wire):
    """From where a message or a refusal comes: the listener, the TLS version and cipher ("" without), the client's HELO.

    `by`: the right that the client used, SMTP AUTH or an OPEN-SMTP grant; `account`: the address of the mailbox whose it is;
    `granted_at`: when its login gave the grant, in seconds since the epoch, 0 if there is none.
    """

    listener: str = ""
    tls: str = ""
    helo: str = ""
    by: Literal["auth", "grant", "none"] = "none"
    account: str = ""
    granted_at: float = 0.0


class MailVerdict(Wire):
    """What one method found about a message, for the trace (docs/decisions/0090).

    `method` and `result` as in Authentication-Results (RFC 8601): spf, dkim, arc, dmarc; or rspamd and its action. `domain` is the one
    that was checked; `reason` says in words why; `record` is the text in the DNS that caused it, of the name `record_name`.
    """

    method: str
    result: str
    domain: str = ""
    reason: str = ""
    record: str = ""
    record_name: str = ""


class DkimCount(Wire):
    """A signature as a DMARC report tells it."""

    domain: str
    selector: str
    result: str


class DmarcCount(Wire):
    """What a DMARC aggregate report tells of a message and one domain in its From (RFC 9990 3, docs/decisions/0092).

    `domain` is that of the policy record, which asks for reports; `policy`: its tags and their values in force, as `p=reject;sp=none`.
    `disposition` and `reason` as in the report; `dkim` and `spf`: whether an identifier of the mechanism is aligned.
    """

    domain: str
    policy: str
    header_from: str
    disposition: Literal["none", "pass", "quarantine", "reject"]
    reason: Literal["", "local_policy", "trusted_forwarder", "policy_test_mode"]
    dkim: bool
    spf: bool
    envelope_from: str
    spf_domain: str
    spf_result: str
    signatures: Annotated[list[DkimCount], at_most(MOST_SIGNATURES)] = []


class Stamp(Wire):
    """What smtp-gateway found out about a message from outside, and what follows.

    `folder`: the special use of the folder that local copies are filed into (`mailstore_api.wire.Filing`), "" for INBOX; `flags`: those
    that they get. `dmarc_failed`: it failed DMARC and the domain in From asks to reject such mail: it is never forwarded.
    """

    verdicts: Annotated[list[MailVerdict], at_most(MOST_VERDICTS)] = []
    folder: str = ""
    flags: Annotated[list[str], at_most(MOST_FLAGS)] = []
    dmarc_failed: bool = False
    counted: Annotated[list[DmarcCount], at_most(MOST_COUNTED)] = []
    """For DMARC reports; empty with POSTRIDER_DMARC_REPORTS off."""


#: What a sender asks about TLS (RFC 8689): REQUIRETLS, or the header field TLS-Required: No; "": nothing.
TlsRequest = Literal["", "required", "optional"]


class Submission(Wire):
    """One accepted message. `submission_id` is the id of the hand-over: repeated with the same id it is the same message.

    `body` is the whole message as it will be stored, beginning with our Received, lines ending in CRLF. `account` is the
    mailbox whose right to relay was used.
    """

    submission_id: UUID
    mail_from: str
    recipients: Annotated[list[SubmissionRecipient], at_most(MOST_RECIPIENTS)]
    body: bytes
    client_address: str | None = None
    account: UUID | None = None
    eight_bit: bool = False
    smtputf8: bool = False
    sender_target: SubmissionRecipient | None = None
    """Where a bounce to a local sender goes, since the queue makes no look-ups in auth (decision 5); None: by MX."""
    origin: Origin = Origin()
    """From where it came, for the trace."""
    ret: str = ""
    """RET: FULL or HDRS (RFC 3461 4.3); "" if the client gave none."""
    envid: str = ""
    """ENVID in xtext (RFC 3461 4.4); "" if the client gave none."""
    stamp: Stamp = Stamp()
    """Of a message from outside."""
    traceparent: Traceparent = ""
    tls: TlsRequest = ""


class SubmissionList(Wire):
    items: Annotated[list[Submission], at_most(LIST_ITEMS)]
    version: int = VERSION


class SubmissionAnswer(Wire):
    """The result of one hand-over. `queued`: committed and flushed, `queue_id` is in the 250 (decision 2).

    `no_space`: 452 4.3.1. `failed`: this one could not be stored (451); the other items of the list are not affected.
    """

    status: Literal["queued", "no_space", "failed"]
    queue_id: UUID | None = None


class SubmissionAnswers(Wire):
    items: list[SubmissionAnswer]
    version: int = VERSION


class Refusal(Wire):
    """One refused command with its transaction, for the trace; or, with `times` over 1, that many that were not recorded singly.

    `id`: made by the gateway at that time, so that a repeated list records nothing twice. `size`: of the message in octets as far
    as it is known, else as declared. `rule`: the row of docs/contract.md, or the reason of `postrider_gateway_rejected_total`.
    """

    id: UUID
    rule: str
    reply: str = ""
    command: str = ""
    client_address: str | None = None
    origin: Origin = Origin()
    account: UUID | None = None
    mail_from: str | None = None
    recipients: Annotated[list[str], at_most(MOST_NAMED)] = []
    recipient_count: int = 0
    size: int = 0
    times: int = 1
    verdicts: Annotated[list[MailVerdict], at_most(MOST_VERDICTS)] = []
    counted: Annotated[list[DmarcCount], at_most(MOST_COUNTED)] = []
    """As in `Stamp`."""


class RefusalList(Wire):
    items: Annotated[list[Refusal], at_most(MOST_REFUSALS)]
    version: int = VERSION


class RefusalsRecorded(Wire):
    """All of the list are recorded."""

    version: int = VERSION
