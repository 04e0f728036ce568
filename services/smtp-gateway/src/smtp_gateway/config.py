"""Settings of smtp-gateway. It holds no database credentials."""

import socket
from typing import Literal

from pydantic import Field, SecretStr

from mailkit.process.config import CommaList, ServiceSettings

DmarcAction = Literal["none", "junk", "refuse"]


class GatewaySettings(ServiceSettings):
    """Settings of smtp-gateway, read from the environment."""

    http_port: int = Field(default=8004, ge=0, le=65535)
    """Port of the HTTP side."""
    listen_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=0, le=65535)
    smtps_port: int = Field(default=465, ge=0, le=65535)
    submission_port: int = Field(default=587, ge=0, le=65535)
    certificates: str = ""
    """Folder with `default/` and a folder per host name, each with tls.crt and tls.key; if empty, no TLS."""
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
    token_simulate_gateway: SecretStr = SecretStr("")
    """Token with which operators simulate messages (`postrider simulate`); it opens nothing else."""
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """The largest accepted message, in octets (S7)."""
    max_header_bytes: int = Field(default=1024 * 1024, ge=16 * 1024, le=15 * 1024 * 1024)
    """A message with a larger header, or one of more than 2,000 fields, is refused (552 5.3.4); lines inside it may be of any length."""
    recipients_per_message: int = Field(default=1000, ge=100)
    """RCPT commands accepted for one message; RFC 5321 4.5.3.1.8 requires at least 100."""
    targets_per_message: int = Field(default=10_000, ge=100, le=32_767)
    """Final targets of one message after forwards and catch-alls are expanded; above it RCPT is answered 452 4.5.3."""
    smtp_strip_nul: bool = False
    """Remove NUL octets from messages instead of refusing such messages (550 5.6.0)."""
    smtp_remove_bcc: bool = False
    """Remove Bcc and Resent-Bcc from messages of clients with a right to relay (docs/decisions/0096)."""
    smtp_repair_bare_lf: bool = False
    """Convert bare LF to CR LF in messages of clients with a right to relay, instead of refusing such messages."""
    gateway_body_bytes: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Octets of bodies held in memory by all sessions together, and of those announced by SIZE; above it MAIL and DATA are
    answered 452 4.3.1."""
    gateway_connections: int = Field(default=10_000, ge=1)
    connections_per_address: int = Field(default=100, ge=1)
    connections_per_minute: int = Field(default=600, ge=0)
    """New connections per minute from one client address (IPv6: one /64); 0: unlimited."""
    messages_per_minute: int = Field(default=1200, ge=0)
    """MAIL commands per minute from one client address (IPv6: one /64) without a right to relay; 0: unlimited."""
    limit_exempt_networks: CommaList = ()
    """Networks of clients that are exempt from limits."""
    login_delays: int = Field(default=500, ge=0)
    """Limit of login answers delayed at the same time after wrong passwords; beyond it such logins get a temporary refusal."""
    login_delays_per_network: int = Field(default=20, ge=0)
    """The same limit for one client network (/24, IPv6 /64)."""
    trusted_proxies: CommaList = ()
    """Networks of the proxies that speak the PROXY protocol; if set, only these may connect (decision 9)."""
    direct_port_offset: int = Field(default=0, ge=0, le=60000)
    """With proxies: also listen on each port plus this number, without PROXY and without OPEN-SMTP; 0: do not."""
    internal_submission_port: int = Field(default=0, ge=0, le=65535)
    """A further submission port for the probe, whose clients' grants count on internal ports only (decision 103); 0: none."""
    open_smtp: bool = True
    """OPEN-SMTP (S2). If false, no address has a right to relay; AUTH still works."""
    smtp_plaintext_auth: bool = False
    """Allow AUTH without TLS, for old clients."""
    oauth: bool = False
    """Offer OAUTHBEARER and XOAUTH2 with AUTH; auth has to know an issuer (POSTRIDER_OAUTH_ISSUER)."""
    scram: Literal["none", "learn", "offer"] = "none"
    """`offer`: offer SCRAM-SHA-256 with AUTH. auth has to be at `learn` or `offer` before (docs/decisions/0061)."""
    smtp_strict: bool = False
    """Refuse what RFC 5321 does not allow but old clients send (docs/decisions/0032)."""
    smtp_command_seconds: float = Field(default=300, gt=0)
    """Longest wait for a command, and longest pause within DATA (RFC 5321 4.5.3.2.7)."""
    smtp_crowded_seconds: float = Field(default=10, gt=0)
    """Longest silence of a client while four fifths of POSTRIDER_GATEWAY_CONNECTIONS are in use."""
    smtp_soft_errors: int = Field(default=10, ge=0)
    """Refused commands of one connection after which replies to further ones are delayed; an accepted message resets it."""
    smtp_hard_errors: int = Field(default=20, ge=1)
    """Refused commands at which the connection is ended with 421."""
    smtp_junk_commands: int = Field(default=100, ge=0)
    """NOOP, RSET, VRFY, HELP, EHLO and HELO of one connection after which each further one counts as a refused command."""
    smtp_error_seconds: float = Field(default=1, ge=0)
    """Seconds by which the delay grows with each further refused command."""
    smtp_data_seconds: float = Field(default=3600, gt=0)
    """Time limit for the data of one message."""
    dns_servers: CommaList = ()
    authenticate_mail: bool = True
    """Verify SPF, DKIM, ARC and DMARC of mail from clients without a right to relay, and write Authentication-Results (docs/decisions/0090)."""
    dmarc_reject: DmarcAction = "junk"
    """Mail that fails DMARC with p=reject: `junk` files it into the Junk folder, `refuse` answers 550 5.7.1, `none` files it as other mail."""
    dmarc_quarantine: DmarcAction = "junk"
    """The same for p=quarantine, and for mail whose From cannot be read without a doubt."""
    dmarc_domains: CommaList = ()
    """The same for mail that fails with a domain, or one below it, in From, whatever it asks for: `example.com=refuse`."""
    dmarc_reports: bool = False
    """Count mail from outside for DMARC reports, which queue-worker sends each day to domains that ask for them (RFC 9990, docs/decisions/0092)."""
    scanner_url: str = ""
    """An rspamd worker (`http://rspamd:11333`) that is asked about mail from outside at the final dot; if empty, none is (docs/decisions/0091)."""
    scanner_seconds: float = Field(default=5, gt=0, le=60)
    """Longest wait for the scanner; then the message is taken as if there were none."""
    trusted_forwarders: CommaList = ()
    """Networks of forwarders, and domains whose ARC seals count: nothing follows when mail from them fails DMARC."""
