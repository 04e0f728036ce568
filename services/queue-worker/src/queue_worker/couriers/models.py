"""The data classes that the delivery loop and a courier exchange, without sockets or tables."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID


class Verdict(Enum):
    """The result of one attempt for one recipient."""

    delivered = "delivered"
    """The remote host answered the final dot with 2xx: it has the message now (RFC 5321 4.2.5)."""
    deferred = "deferred"
    """Not delivered, may be tried again: 4xx, no connection, DNS trouble, S9, S11."""
    failed = "failed"
    """Refused for good: 5xx, no such domain, S13, S15."""
    in_doubt = "in_doubt"
    """The final dot was sent and no reply was read: whether the message is delivered is unknown (decision 6)."""
    returned = "returned"
    """Nothing was done at the remote host (stopped, or the attempt was lost): the claim may be given back at once.
    The "dot sent" mark may have been committed all the same; no dot followed it."""
    postponed = "postponed"
    """Nothing was tried: as many conversations as allowed wait for a first answer of its address. Tried again soon."""


@dataclass(slots=True)
class RemoteRecipient:
    """One recipient of a message at the destination. `key` belongs to the caller and is returned in the Outcome."""

    key: object
    address: str


@dataclass(slots=True)
class RemoteMessage:
    """One message for one destination domain.

    `load_body` returns the whole message, CRLF line endings, not dot-stuffed; it is called once per transaction. `before_dot`
    commits the "dot sent" mark of this attempt (decision 6) and is called before each final dot; recipients refused
    at RCPT were reported before it. If it returns False, the attempt is lost and the connection is cut without a dot.
    `size` is in octets.
    """

    queue_id: UUID
    mail_from: str
    recipients: list[RemoteRecipient]
    size: int
    eight_bit: bool
    smtputf8: bool
    load_body: Callable[[], Awaitable[bytes]]
    before_dot: Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one recipient.

    `status` is an RFC 3463 code; `text` the reason a sender reads in a bounce (the contract's text, unwrapped; S13 has
    several lines, separated by "\\n"); `diagnostic` the remote reply for Diagnostic-Code (RFC 3464 2.3.6), if there was one;
    `tls` the protocol version the message went out under.
    """

    key: object
    verdict: Verdict
    status: str
    text: str
    remote_host: str | None = None
    diagnostic: str | None = None
    tls: str | None = None
    reached: bool = True
    """Whether a host of the domain answered."""


Report = Callable[[list[Outcome]], None]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of a conversation may take, in seconds (RFC 5321 4.5.3.2; connect and TLS are ours)."""

    connect: float = 30.0
    greeting: float = 300.0
    helo: float = 300.0
    tls: float = 60.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0
    quit: float = 5.0


@dataclass(frozen=True, slots=True)
class CourierSettings:
    """Settings of the remote courier; taken from the service's settings."""

    helo_name: str
    """The name sent in EHLO (POSTRIDER_HELO_NAME)."""
    port: int = 25
    """POSTRIDER_REMOTE_SMTP_PORT."""
    dns_servers: tuple[str, ...] = ()
    """`host:port` each (POSTRIDER_DNS_SERVERS); empty: the system's."""
    allow_networks: tuple[str, ...] = ()
    """Non-public networks that MX addresses may lie in (POSTRIDER_REMOTE_ALLOW_NETWORKS)."""
    deny_networks: tuple[str, ...] = ()
    """Public-looking networks that are the cluster's own; `allow_networks` wins (POSTRIDER_REMOTE_DENY_NETWORKS)."""
    own_names: frozenset[str] = frozenset()
    """Our own host names: an MX among them is a loop (5.4.6). `helo_name` counts too."""
    own_listeners: frozenset[tuple[str, int]] = frozenset()
    """Addresses and ports our own gateway listens on, as (ip, port)."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    messages_per_connection: int = 100
    idle_seconds: float = 60.0
    """How long a connection is kept for the next group."""
    idle_connections: int = 200
    """Most connections kept; the oldest is closed first."""
