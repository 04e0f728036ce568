"""The data classes that the delivery loop and a courier exchange, without sockets or tables."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from queue_worker.models import Claim, Result


@dataclass(slots=True, eq=False)
class RemoteMessage:
    """One message for one destination domain. It equals only itself, and may be a key.

    `load_body` returns the whole message, CRLF line endings, not dot-stuffed; it is called once per transaction. `before_dot`
    commits the "dot sent" mark of this attempt (decision 6) and is called before each final dot; recipients refused
    at RCPT were reported before it. If it returns False, the attempt is lost and the connection is cut without a dot.
    `size` is in octets.
    """

    queue_id: UUID
    mail_from: str
    recipients: list[Claim]
    size: int
    eight_bit: bool
    smtputf8: bool
    load_body: Callable[[], Awaitable[bytes]]
    before_dot: Callable[[], Awaitable[bool]]
    tls: str = ""
    """What the sender asks about TLS (RFC 8689), `required` or `optional`, or `preferred`: REQUIRETLS where it is offered. The same for all messages of a group."""


Report = Callable[[list[Result]], None]
Admit = Callable[[Sequence[str]], bool]


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
class Relay:
    """Where and how a route sends mail (docs/decisions/0083); None: as without the route."""

    host: str | None = None
    """The smart host; None: the hosts of the domain itself."""
    port: int = 587
    tls: str = "starttls"
    """To the smart host: `starttls` or `implicit`, its name and chain verified; `opportunistic`."""
    username: str | None = None
    password: str = field(default="", repr=False)
    source_address: str | None = None
    helo: str | None = None
    second_source: str | None = None
    """The source of the other family; without it, with `source_address`, hosts of that family are not connected to."""
    route: str = field(default="", compare=False)
    """Which route it is, for people."""

    def source_for(self, address: str) -> str | None:
        """Return the address to connect to `address` from; None: any of the machine, or none of that family."""
        sources = (self.source_address, self.second_source)
        return next((each for each in sources if each and (":" in each) is (":" in address)), None)

    def words(self, address: str) -> str:
        """Return how `address` is connected to, for the trace: the source address, the HELO name, and the route that says so."""
        source = self.source_for(address)
        return (f" from {source}" if source else "") + (f" as {self.helo}" if self.helo else "") + f" by {self.route}"

    @property
    def verifies(self) -> bool:
        """Whether the smart host's certificate is verified."""
        return self.host is not None and self.tls != "opportunistic"


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
    ca_file: str = ""
    """Further authorities for certificates that are verified (POSTRIDER_ROUTE_CA_FILE)."""
    dnssec: bool | None = None
    """Whether `dns_servers` validate (POSTRIDER_DANE); None: if all are on loopback."""
    policy_port: int = 443
    """Of MTA-STS policies; another one in tests."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    messages_per_connection: int = 100
    idle_seconds: float = 60.0
    """How long a connection is kept for the next group."""
    idle_connections: int = 200
    """Most connections kept; the oldest is closed first."""
    ipv4_only: bool = False
    """POSTRIDER_REMOTE_IPV4_ONLY."""
    relay_conversations: int = 20
    """Most groups that are sent to one smart host at once."""
