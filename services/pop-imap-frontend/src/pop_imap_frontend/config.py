"""Settings of pop-imap-frontend. It holds no database credentials."""

from pydantic import Field, SecretStr

from mailkit.config import CommaList, ServiceSettings


class FrontendSettings(ServiceSettings):
    """What pop-imap-frontend is told by its environment."""

    http_port: int = Field(default=8005, ge=0, le=65535)
    """Port of the HTTP side."""
    listen_host: str = "127.0.0.1"
    pop3_port: int = Field(default=110, ge=0, le=65535)
    pop3s_port: int = Field(default=995, ge=0, le=65535)
    imap_port: int = Field(default=143, ge=0, le=65535)
    imaps_port: int = Field(default=993, ge=0, le=65535)
    certificates: str = ""
    """Folder with `default/` and a folder per host name, each with tls.crt and tls.key; none: no TLS."""
    tls_minimum: CommaList = ()
    """Oldest TLS version: `1.2` for all listeners, `pop3s=1.0` for one; below 1.2 for old devices (docs/decisions/0044)."""
    helo_name: str = "Postrider"
    """Our name in greetings."""
    auth_url: str = "http://127.0.0.1:8001"
    token_frontend_auth: SecretStr = SecretStr("")
    mailstore_url: str = "http://127.0.0.1:8003"
    token_frontend_mailstore: SecretStr = SecretStr("")
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """S7; the largest APPEND."""
    pop3_login_delay_seconds: int = Field(default=60, ge=0)
    """P4, as CAPA says it; auth keeps the rule."""
    frontend_connections: int = Field(default=20_000, ge=1)
    connections_per_address: int = Field(default=100, ge=1)
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
    pop3_plaintext_auth: bool = False
    """Allow POP3 logins without TLS, for old clients."""
    imap_plaintext_auth: bool = False
    """Allow IMAP logins without TLS, for old clients."""
    pop3_idle_seconds: float = Field(default=600, gt=0)
    """RFC 1939 3 asks for 10 minutes at least."""
    imap_idle_seconds: float = Field(default=1860, gt=0)
    """RFC 3501 5.4 asks for 30 minutes at least."""
    imap_keepalive_seconds: float = Field(default=120, gt=0)
    """IDLE says `* OK Still here` so often: before a NAT forgets the connection."""
    imap_commands_per_mailbox: int = Field(default=10, ge=1)
    """FETCH, SEARCH, COPY and APPEND of one mailbox under way at once in this process; more wait, 30 s at most."""
    imap_literal_bytes_per_mailbox: int = Field(default=32 * 1024 * 1024, ge=1024 * 1024)
    """The same for octets of literals (of APPENDs, above all), in all sessions of a mailbox together."""
