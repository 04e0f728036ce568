"""Settings of smtp-gateway. It holds no database credentials."""

import socket

from pydantic import Field, SecretStr

from mailkit.config import CommaList, ServiceSettings


class GatewaySettings(ServiceSettings):
    """What smtp-gateway is told by its environment."""

    http_port: int = Field(default=8004, ge=0, le=65535)
    """Port of the HTTP side."""
    listen_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=0, le=65535)
    smtps_port: int = Field(default=465, ge=0, le=65535)
    submission_port: int = Field(default=587, ge=0, le=65535)
    certificates: str = ""
    """Folder with `default/` and a folder per host name, each with tls.crt and tls.key; none: no TLS."""
    tls_minimum: CommaList = ()
    """Oldest TLS version: `1.2` for all listeners, `pop3s=1.0` for one; below 1.2 for old devices (docs/decisions/0044)."""
    helo_name: str = Field(default_factory=socket.getfqdn)
    """Our name in the greeting and in Received."""
    auth_url: str = "http://127.0.0.1:8001"
    token_gateway_auth: SecretStr = SecretStr("")
    mailstore_url: str = "http://127.0.0.1:8003"
    token_gateway_mailstore: SecretStr = SecretStr("")
    queue_url: str = "http://127.0.0.1:8002"
    token_gateway_queue: SecretStr = SecretStr("")
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """S7."""
    max_header_bytes: int = Field(default=1024 * 1024, ge=16 * 1024, le=15 * 1024 * 1024)
    """A message whose header is larger is refused (552 5.3.4); lines inside it may be of any length."""
    recipients_per_message: int = Field(default=1000, ge=100)
    """RFC 5321 4.5.3.1.8 asks for 100 at least."""
    targets_per_message: int = Field(default=10_000, ge=100, le=32_767)
    """Where one message may go after forwards and catch-alls are expanded; above it RCPT is answered 452 4.5.3."""
    smtp_strip_nul: bool = False
    """Take NUL octets out of messages instead of refusing them (550 5.6.0)."""
    smtp_repair_bare_lf: bool = False
    """Make CR LF of a bare LF in what clients with a right to relay send, instead of refusing it."""
    gateway_body_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Bodies held in memory in all; above it DATA is answered 452 4.3.1."""
    gateway_connections: int = Field(default=10_000, ge=1)
    connections_per_address: int = Field(default=100, ge=1)
    connections_per_minute: int = Field(default=600, ge=0)
    """New connections of one client address (of IPv6, of one /64) and minute; 0: any number."""
    messages_per_minute: int = Field(default=1200, ge=0)
    """MAIL commands of one client address and minute, without a right to relay; 0: any number."""
    limit_exempt_networks: CommaList = ()
    """Clients that limits leave alone."""
    login_delays: int = Field(default=500, ge=0)
    """Answers to logins held back at once because of wrong passwords before them; beyond it such logins are refused for now."""
    login_delays_per_network: int = Field(default=20, ge=0)
    """The same for one client network (/24, IPv6 /64)."""
    trusted_proxies: CommaList = ()
    """PROXY protocol speakers; when set, only they may connect (decision 9)."""
    direct_port_offset: int = Field(default=0, ge=0, le=60000)
    """With proxies: listen so much higher too, without PROXY and without OPEN-SMTP; 0: not."""
    open_smtp: bool = True
    """S2. Switched off, no address may relay; AUTH goes on."""
    smtp_plaintext_auth: bool = False
    """Allow AUTH without TLS, for old clients."""
    smtp_strict: bool = False
    """Refuse what RFC 5321 does not allow but old clients send (docs/decisions/0032)."""
    smtp_command_seconds: float = Field(default=300, gt=0)
    """RFC 5321 4.5.3.2.7: how long a client may take for a command, or a pause within DATA."""
    smtp_crowded_seconds: float = Field(default=10, gt=0)
    """The same while four fifths of POSTRIDER_GATEWAY_CONNECTIONS are taken."""
    smtp_soft_errors: int = Field(default=10, ge=0)
    """Refused commands of one connection until replies to them come later and later; a message taken resets the count."""
    smtp_hard_errors: int = Field(default=20, ge=1)
    """Refused commands until the connection is ended with 421."""
    smtp_junk_commands: int = Field(default=100, ge=0)
    """NOOP, RSET, VRFY, EXPN, HELP and EHLO of one connection until each counts as a refused command."""
    smtp_error_seconds: float = Field(default=1, ge=0)
    """How much later each further reply comes."""
    smtp_data_seconds: float = Field(default=3600, gt=0)
    """How long one message may take in all."""
    dns_servers: CommaList = ()
