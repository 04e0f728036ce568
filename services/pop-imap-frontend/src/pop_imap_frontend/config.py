"""Settings of pop-imap-frontend. It holds no database credentials."""

from typing import Literal

from pydantic import Field, SecretStr

from mailkit.process.config import CommaList, ServiceSettings


class FrontendSettings(ServiceSettings):
    """Settings of pop-imap-frontend, read from its environment."""

    http_port: int = Field(default=8005, ge=0, le=65535)
    """Port of the HTTP side."""
    listen_host: str = "127.0.0.1"
    pop3_port: int = Field(default=110, ge=0, le=65535)
    pop3s_port: int = Field(default=995, ge=0, le=65535)
    imap_port: int = Field(default=143, ge=0, le=65535)
    imaps_port: int = Field(default=993, ge=0, le=65535)
    certificates: str = ""
    """Folder with `default/` and a folder per host name, each with tls.crt and tls.key; if empty, no TLS."""
    tls_minimum: CommaList = ()
    """Oldest TLS version: `1.2` for all listeners, `pop3s=1.0` for one; below 1.2 for old devices (docs/decisions/0044)."""
    helo_name: str = "Postrider"
    """Name of this server in greetings."""
    auth_url: str = "http://127.0.0.1:8001"
    token_frontend_auth: SecretStr = SecretStr("")
    mailstore_url: str = "http://127.0.0.1:8003"
    token_frontend_mailstore: SecretStr = SecretStr("")
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """Largest message that APPEND takes, in octets (S7)."""
    pop3_login_delay_seconds: int = Field(default=60, ge=0)
    """LOGIN-DELAY in the answer to CAPA (P4), in seconds; auth enforces it."""
    frontend_connections: int = Field(default=20_000, ge=1)
    connections_per_address: int = Field(default=100, ge=1)
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
    internal_imaps_port: int = Field(default=0, ge=0, le=65535)
    """A further IMAP (implicit TLS) port for the probe, whose clients' grants count on internal ports only (decision 103); 0: none."""
    pop3_plaintext_auth: bool = False
    """Allow POP3 logins without TLS, for old clients."""
    imap_plaintext_auth: bool = False
    """Allow IMAP logins without TLS, for old clients."""
    oauth: bool = False
    """Offer OAUTHBEARER and XOAUTH2 by POP3 and IMAP; auth has to know an issuer (POSTRIDER_OAUTH_ISSUER)."""
    old_host_ca_file: str = ""
    """PEM file with further authorities, beside the system's, for certificates of the old hosts of moving domains."""
    scram: Literal["none", "learn", "offer"] = "none"
    """`offer`: offer SCRAM-SHA-256 by POP3 and IMAP. auth has to be at `learn` or `offer` before (docs/decisions/0061)."""
    pop3_idle_seconds: float = Field(default=600, gt=0)
    """POP3 autologout timer; RFC 1939 3 requires at least 10 minutes."""
    imap_idle_seconds: float = Field(default=1860, gt=0)
    """IMAP autologout timer; RFC 3501 5.4 requires at least 30 minutes."""
    imap_unauthenticate: bool = True
    """Offer UNAUTHENTICATE by IMAP. RFC 8437 8 requires a way to turn it off, for proxies that check clients at their login."""
    imap_keepalive_seconds: float = Field(default=120, gt=0)
    """Interval of `* OK Still here` during IDLE, so that NAT devices keep the connection."""
    imap_commands_per_mailbox: int = Field(default=10, ge=1)
    """Limit of FETCH, SEARCH, COPY, MOVE and APPEND commands of one mailbox that run at the same time in this process; others
    wait at most 30 s."""
    imap_literal_bytes_per_mailbox: int = Field(default=32 * 1024 * 1024, ge=1024 * 1024)
    """The same limit for octets of literals (mostly of APPEND), over all sessions of a mailbox."""
