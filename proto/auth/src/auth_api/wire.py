"""Messages to and from auth's list endpoints (decision 3). Fields are only added at the end, with defaults.

Endpoints: POST /v1/senders, /v1/recipients, /v1/uncharged-recipients, /v1/authors, /v1/signatures, /v1/bounce-signatures, /v1/logins,
/v1/old-host-logins, /v1/scram-offers, /v1/scram-logins, /v1/token-logins, /v1/undo-checks, /v1/sessions.
Callers: queue (bounce-signatures, uncharged-recipients), gateway (all but the first of these and undo-checks; sessions for SMTP's long connections too), frontend (logins of both kinds, undo-checks,
sessions). The gateway's logins are by smtp, the
front end's by pop3 and imap: a list with another protocol is refused (docs/decisions/0040).
"""

from typing import Annotated, Literal
from uuid import UUID

from mailkit.rpc.wire import Wire, at_most

VERSION = 1

#: Limits of items of a list (decision 3), and of the list of all open sessions of a front end.
MOST_ITEMS = 100
MOST_SESSIONS = 50_000
#: Limits of addresses in one From, and of hashes of one message.
MOST_AUTHORS = 50
MOST_DIGESTS = 4

#: "No quota", as a mailbox's limit: a release that does not know it takes it for a limit that is never reached.
NO_QUOTA = 1 << 50

#: The recipient without a domain, `RCPT TO:<postmaster>` (RFC 5321 4.5.1); auth adds the domain.
BARE_POSTMASTER = "postmaster"


class RelayRight(Wire):
    """Why a client may relay, SMTP AUTH (S3) or an OPEN-SMTP grant (S2), and the account that is charged.

    `granted_at`: when the login that gave the grant was, in seconds since the epoch; 0 with SMTP AUTH.
    """

    how: Literal["auth", "grant"]
    mailbox_id: UUID
    address: str
    granted_at: float = 0.0


class SenderQuestion(Wire):
    """Asked at MAIL. `mail_from` is "" for the null sender; `client_address` is None if no grant may be honoured.

    `simulated`: the answer is neither counted nor logged.
    """

    mail_from: str
    client_address: str | None
    login_mailbox: UUID | None
    simulated: bool = False


class SenderAnswer(Wire):
    """What auth knows of a sender.

    `badmailfrom`: S12. `domain_local`: no DNS look-up for S16. `relay`: without it 530 on 465/587; with it missing header
    fields are added. `identity_allowed`: False if POSTRIDER_SENDER_IDENTITY or the rule of a domain does not allow the client
    this sender. `from_rule`: `none` if From need not be asked about while its domain is MAIL FROM's; "" without a right to relay, and from an older auth.
    """

    badmailfrom: bool
    domain_local: bool
    relay: RelayRight | None
    identity_allowed: bool = True
    from_rule: Literal["", "none", "some"] = ""


class SenderList(Wire):
    items: Annotated[list[SenderQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class SenderAnswers(Wire):
    items: list[SenderAnswer]
    version: int = VERSION


class DkimSigner(Wire):
    """A key to sign with: d=, s= and a=."""

    domain: str
    selector: str
    algorithm: Literal["rsa-sha256", "ed25519-sha256"]


class AuthorQuestion(Wire):
    """Asked at the final dot of a client with a right to relay: the addresses in From (docs/decisions/0089).

    `readable` False: From is no list of addresses that everybody reads alike; `addresses` are those that were found.
    `simulated`: the answer is neither counted nor logged. `proof`: that of the login (docs/decisions/0111); a login without one has no signers.
    """

    addresses: Annotated[list[str], at_most(MOST_AUTHORS)]
    client_address: str | None
    login_mailbox: UUID | None
    readable: bool = True
    simulated: bool = False
    proof: bytes = b""


class AuthorAnswer(Wire):
    """`allowed`: False if the rule of a domain refuses this From. `signers`: the keys of one of its domains, which sign it."""

    allowed: bool
    signers: list[DkimSigner]


class AuthorList(Wire):
    items: Annotated[list[AuthorQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class AuthorAnswers(Wire):
    items: list[AuthorAnswer]
    version: int = VERSION


class Digest(Wire):
    """The SHA-256 of a header, of which the key of `selector` makes a signature."""

    selector: str
    octets: bytes


class SignatureQuestion(Wire):
    """Asks for signatures by the domain of `address`, which the client uses in From (docs/decisions/0088).

    `proof`: that of the login, without which it does not count (docs/decisions/0111).
    """

    address: str
    client_address: str | None
    login_mailbox: UUID | None
    digests: Annotated[list[Digest], at_most(MOST_DIGESTS)]
    proof: bytes = b""


class SignatureAnswer(Wire):
    """One signature per digest, empty where there is no such key or the client may not use the address."""

    signatures: list[bytes]


class SignatureList(Wire):
    items: Annotated[list[SignatureQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class SignatureAnswers(Wire):
    items: list[SignatureAnswer]
    version: int = VERSION


class BounceSignatureQuestion(Wire):
    """Asks for signatures of a bounce of our own (docs/decisions/0094). Without digests: who would sign?"""

    digests: Annotated[list[Digest], at_most(MOST_DIGESTS)]


class BounceSignatureAnswer(Wire):
    """`signers`: the keys of the domain that bounces are from, none if it has no active ones. One signature per digest, empty without such a key."""

    signers: list[DkimSigner]
    signatures: list[bytes]


class BounceSignatureList(Wire):
    items: Annotated[list[BounceSignatureQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class BounceSignatureAnswers(Wire):
    items: list[BounceSignatureAnswer]
    version: int = VERSION


class RecipientQuestion(Wire):
    """Asked at RCPT: the final targets of `address`, and whether this client may send there.

    `first`: no recipient of the message is elsewhere yet, so that this one begins a message that is relayed.
    """

    address: str
    mail_from: str
    client_address: str | None
    login_mailbox: UUID | None
    first: bool = False


class Target(Wire):
    """Where a recipient's mail goes: a local mailbox, or a remote address with `mailbox_id` None.

    Of a mailbox: its id, its limit in octets and the limit's version. `address` is used in Delivered-To or in the remote RCPT.

    `via` is the address whose forward or catch-all leads to it, "" for none: a remote copy carries it in Delivered-To
    (docs/decisions/0038). `sender` is the envelope sender of such a copy, "" for that of MAIL (docs/decisions/0093).
    """

    address: str
    mailbox_id: UUID | None = None
    quota_limit: int = 0
    limit_version: int = 0
    via: str = ""
    sender: str = ""


RecipientVerdict = Literal[
    "accepted",
    "no_mailbox",  # S14: 550 5.1.1
    "not_relayed",  # S10: 550 5.7.1
    "loop",  # forwards in a circle, deeper than 10 or more than 100 targets: 550 5.4.6
    "moving",  # the old host sends mail for a domain that is still there: 451 4.4.6
    "too_many",  # the limit of recipients per hour of the account or the forwarding domain is reached: 452 4.7.1
    "bad_address",  # 501 5.1.3
]


class RecipientAnswer(Wire):
    """The verdict on a recipient. `targets` are final: forwards and catch-alls are expanded (decision 5).

    `account` is the mailbox that was charged: with one recipient for a remote address, with one for each remote address that
    a forward leads to. `over`: with `too_many`, whose limit it is, that of a setting ("") or of the plan.
    """

    verdict: RecipientVerdict
    targets: list[Target]
    account: UUID | None = None
    over: Literal["", "plan"] = ""


class RecipientList(Wire):
    items: Annotated[list[RecipientQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class RecipientAnswers(Wire):
    items: list[RecipientAnswer]
    version: int = VERSION


class Login(Wire):
    """One attempt to log in. A repeated `operation_id` is the same attempt for 10 minutes (decision 3).

    `client_address` None: no grant is given (PROXY LOCAL/UNKNOWN). `password` is never logged.
    """

    operation_id: UUID
    protocol: Literal["smtp", "pop3", "imap"]
    login: str
    password: str
    client_address: str | None

    def __repr__(self) -> str:
        return f"Login({self.protocol}, {self.login!r})"


LoginOutcome = Literal[
    "ok",
    "refused",  # unknown user, wrong password, disabled: one answer, one cost
    "throttled",  # too many failures by account or address: checked before hashing
    "too_soon",  # P4; the password was right
    "busy",  # the hashing queue is full, or an old host cannot be asked
    "elsewhere",  # an old host has to be asked: /v1/old-host-logins
]


class OldHost(Wire):
    """The server of a moving domain's old host that has a mailbox's mail (docs/decisions/0126): TLS from the first octet."""

    host: str
    port: int


class LoginAnswer(Wire):
    outcome: LoginOutcome
    mailbox_id: UUID | None = None
    address: str = ""
    credential_version: int = 0
    quota_limit: int = 0
    limit_version: int = 0
    retry_after: int = 0
    """Seconds, for `throttled` and `too_soon`."""
    proof: bytes = b""
    """The proof of login: mailstore demands that of pop3 and imap (docs/decisions/0040), auth that of smtp (docs/decisions/0111)."""
    delay: float = 0.0
    """Seconds by which the caller must delay this answer to the client, 0 to 10 (docs/decisions/0049)."""
    server_signature: bytes = b""
    """ServerSignature (RFC 5802 3) of a good SCRAM login."""
    off: bool = False
    """With `refused`: the password was right, and this protocol is off in the plan of the account's domain."""
    login_delay: int = -1
    """P4's seconds by that plan; -1: the setting's."""
    expire: int = -1
    """Days for EXPIRE (RFC 2449 6.7) by that plan; -1: NEVER."""
    old_host: OldHost | None = None
    """Of pop3 and imap: where the session is to be handed to, with the same name (`address`) and password. There is no proof then."""


class LoginList(Wire):
    items: Annotated[list[Login], at_most(MOST_ITEMS)]
    version: int = VERSION


class LoginAnswers(Wire):
    items: list[LoginAnswer]
    version: int = VERSION


class ScramQuestion(Wire):
    """Asks what SCRAM's server-first-message (RFC 5802 5) tells a client that gave this name, known or not, and this nonce."""

    login: str
    client_nonce: str


class ScramOffer(Wire):
    """The salt, the iteration count and the server's part of the nonce, which auth accepts for ten minutes."""

    salt: bytes
    iterations: int
    nonce: str


class ScramQuestionList(Wire):
    items: Annotated[list[ScramQuestion], at_most(MOST_ITEMS)]
    version: int = VERSION


class ScramOffers(Wire):
    items: list[ScramOffer]
    version: int = VERSION


class ScramLogin(Wire):
    """One attempt to log in by SCRAM-SHA-256; the first four fields are those of `Login`.

    `client_first` without its GS2 header, `client_final` without its proof; `nonce` is the whole one.
    """

    operation_id: UUID
    protocol: Literal["smtp", "pop3", "imap"]
    login: str
    client_address: str | None
    client_first: str
    client_final: str
    nonce: str
    proof: bytes

    def __repr__(self) -> str:
        return f"ScramLogin({self.protocol}, {self.login!r})"


class ScramLoginList(Wire):
    """Answered by `LoginAnswers`."""

    items: Annotated[list[ScramLogin], at_most(MOST_ITEMS)]
    version: int = VERSION


class TokenLogin(Wire):
    """One attempt to log in by an access token (RFC 7628); the fields are those of `Login`. `login` "": the token names the mailbox."""

    operation_id: UUID
    protocol: Literal["smtp", "pop3", "imap"]
    login: str
    token: str
    client_address: str | None

    def __repr__(self) -> str:
        return f"TokenLogin({self.protocol}, {self.login!r})"


class TokenLoginList(Wire):
    """Answered by `LoginAnswers`."""

    items: Annotated[list[TokenLogin], at_most(MOST_ITEMS)]
    version: int = VERSION


AnyLogin = Login | ScramLogin | TokenLogin


class UndoCheckList(Wire):
    """Operations of POP3 logins that got no maildrop: such a check does not begin the 60 seconds of P4."""

    items: Annotated[list[UUID], at_most(MOST_ITEMS)]
    version: int = VERSION


class UndoCheckAnswers(Wire):
    """True if the operation was the mailbox's last check; it no longer counts."""

    items: list[bool]
    version: int = VERSION


class SessionQuestion(Wire):
    """Asks whether an open session's login is still valid (decision 15). `proof`: its proof. `protocol`: of the login, "" if it is not asked about."""

    mailbox_id: UUID
    credential_version: int
    proof: bytes = b""
    protocol: Literal["", "smtp", "pop3", "imap"] = ""


class SessionList(Wire):
    items: Annotated[list[SessionQuestion], at_most(MOST_SESSIONS)]
    version: int = VERSION


class SessionAnswers(Wire):
    """True: the session may go on.

    False: the account is disabled or deleted, its password was changed, the protocol is off in its plan, or the proof can no longer be renewed. `proofs`:
    replacements of proofs past half of their lifetime; empty: keep the old one.
    """

    items: list[bool]
    version: int = VERSION
    proofs: list[bytes] = []
