"""Settings of the auth service."""

import socket
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from auth.grants import GrantPolicy
from auth.issuer import SIGNATURES, Issuer
from auth.limits import Quotas
from auth.network_file import NetworkFile
from mailkit.errors import ConfigError
from mailkit.mail.address import BadAddress, Networks, normalise_domain
from mailkit.mail.scram_keys import LEAST_ITERATIONS, MOST_ITERATIONS
from mailkit.postgres.dsn import DatabaseSettings
from mailkit.process.config import CommaList
from mailkit.rpc.proof import ProofKeys


class AuthSettings(DatabaseSettings):
    """Settings of auth, read from the environment."""

    http_port: int = Field(default=8001, ge=0, le=65535)
    """Port of the HTTP side."""
    database_pool: int = Field(default=10, ge=2, le=200)
    """Connections to the Postgres with the schema `auth`; half are kept for the questions of the mail flow."""
    token_gateway_auth: SecretStr = SecretStr("")
    """smtp-gateway's token: senders, recipients, logins, sessions."""
    token_frontend_auth: SecretStr = SecretStr("")
    """pop-imap-frontend's token: logins, sessions."""
    token_queue_auth: SecretStr = SecretStr("")
    """queue-worker's token: signatures of our own bounces, and where an address leads."""
    proof_key: SecretStr = SecretStr("")
    """The key of proofs of login, the same as mailstore's; a comma list (docs/operate/secrets.md)."""

    open_smtp: bool = True
    """OPEN-SMTP (S2). If false, no grant is given and none is honoured; AUTH still works."""
    open_smtp_seconds: int = Field(default=3600, ge=0)
    """S2: how long an address may relay after a login."""
    pop3_login_delay_seconds: int = Field(default=60, ge=0)
    """P4: the minimum time between two POP3 logins of one mailbox; 0 disables the rule."""
    pop3_login_delay_padding_seconds: int = Field(default=0, ge=0, le=10)
    """Seconds by which a POP3 login may be too early for P4 and is accepted, for clients with inexact timers; LOGIN-DELAY
    stays as it is."""
    grant_deny_networks: CommaList = ()
    """Networks that never hold a grant (a cluster's pod and node networks); deny wins over allow."""
    grant_allow_networks: CommaList = ()
    """Loopback, link-local, private and shared networks that may hold grants; others of these kinds may not."""
    grant_deny_file: str = ""
    """A file of networks, one to a line, that never hold a grant: shared clouds, whose addresses have another tenant within the
    hour. It is read again within 10 s of a change."""
    trusted_proxies: CommaList = ()
    """Proxies that send PROXY headers: their own addresses never hold a grant."""
    limit_exempt_networks: CommaList = ()
    """Clients exempt from login throttling and from the recipients' limit; P4 applies to them too."""
    recipients_per_hour: int = Field(default=2000, ge=0)
    """Relayed recipients per mailbox and clock hour; 0: unlimited."""
    forwarded_per_hour: int = Field(default=10_000, ge=0)
    """Remote recipients per domain and clock hour to which its forwards and catch-all send mail of clients without a right
    to relay; 0: unlimited."""
    srs_domain: str = ""
    """Domain of the senders of forwarded mail (docs/decisions/0093); POSTRIDER_HELO_NAME if unset; `none`: forwarded mail keeps
    the sender that it came with."""
    srs_classic_keys: SecretStr = SecretStr("")
    """Keys of a forwarder that this service replaced (postsrsd, Mail::SRS), a comma list: bounces to its addresses are returned, with
    their short hashes. To be removed after 21 days."""
    returned_per_hour: int = Field(default=1000, ge=0)
    """Bounces of forwarded mail that are returned to one sender per clock hour; 0: unlimited."""
    sender_identity: Literal["any", "domain", "mailbox"] = "any"
    """Which MAIL FROM a login or grant may use."""
    identity_of_new_domains: Literal["log", "enforce"] = "enforce"
    """What is done, once a domain that is added from now on signs its mail, with sender addresses that a client may not use
    (docs/decisions/0089). `log`: nothing is refused."""
    dkim_of_new_domains: bool = True
    """Make DKIM keys with each new domain, which takes 0.1 s. False: by `postrider domain dkim make`."""
    dkim_days: int = Field(default=180, ge=0)
    """Age in days at which a DKIM key gets a successor, which is used once its record is published; 0: never."""
    dns_servers: CommaList = ()
    """`host:port`, …, of the resolver for DKIM records and advice on zones; the system's when unset."""
    helo_name: str = Field(default_factory=socket.getfqdn)
    """The name by which customers' domains reach the service, in advice on their MX, aliases and SRV records, and from which
    our own bounces and forwarded mail are."""
    own_names: CommaList = ()
    """Other host names of the service, which are as good in an MX record."""
    sending_hosts: CommaList = ()
    """The HELO names that mail leaves by, which SPF has to permit and whose PTR records are checked; `POSTRIDER_HELO_NAME` when unset."""
    primary_domain: str = ""
    """The domain whose postmaster `RCPT TO:<postmaster>` stands for; the oldest domain if unset."""

    quota_least_mb: int = Field(default=25, ge=1, le=1 << 20)
    """P2: the smallest quota that a mailbox may have, in MB."""
    quota_most_mb: int = Field(default=2048, ge=0, le=1 << 20)
    """P2: the largest quota, in MB, where the plan of a domain's customer names none; 0: no bound, and mailboxes may have no quota."""
    quota_default_mb: int = Field(default=1024, ge=1, le=1 << 20)
    """The quota of a mailbox for which none is given, in MB, where the plan names none."""

    history_days: int = Field(default=8, ge=2, le=366)
    """How long logins and changes of accounts are kept for the trace, in days; queue-worker's and mailstore's too."""

    login_failures_per_account: int = Field(default=10, ge=1)
    """Wrong passwords per account, client network (/24, /64) and window before logins are refused without a check."""
    login_failures_elsewhere: int = Field(default=30, ge=1)
    """The same per account and window, from all networks together without a right password in the last 14 days."""
    login_failures_per_address: int = Field(default=100, ge=1)
    """The same per client address (IPv6: one /64) and window."""
    login_failure_window_seconds: int = Field(default=600, ge=1)
    """Length of the window in which wrong passwords are counted, from the first one."""
    login_failure_delay_seconds: float = Field(default=5, ge=0, le=10)
    """Longest delay of the answer to a login after wrong passwords; 0: no delay."""
    scram: Literal["none", "learn", "offer"] = "none"
    """SCRAM-SHA-256 (docs/decisions/0061). `learn` and `offer`: keep a verifier beside each password hash, from which passwords are
    easier to guess than from argon2id. `none`: remove the verifiers that were kept."""
    scram_iterations: int = Field(default=20_000, ge=LEAST_ITERATIONS, le=MOST_ITERATIONS)
    """Iterations of PBKDF2 in a verifier, each of which a client computes at each login. After a change an account has no
    verifier until its next login with the password."""
    oauth_issuer: str = ""
    """The issuer whose access tokens log in to mailboxes (docs/decisions/0124), as it is in their `iss`; none when unset."""
    oauth_audience: str = ""
    """What their `aud` has to name."""
    oauth_jwks_url: str = ""
    """Where the issuer's public keys are (`jwks_uri`): https, or http on this host."""
    oauth_scopes: CommaList = ()
    """Scopes that a token needs, each of them."""
    oauth_claim: str = "email"
    """The claim that names the mailbox."""
    oauth_algorithms: CommaList = ("RS256", "ES256")
    """Signatures that are taken: of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA."""
    old_host_ca_file: str = ""
    """PEM file with further authorities, beside the system's, for certificates of the old hosts of moving domains."""
    hash_queue: int = Field(default=256, ge=1)
    """Passwords that may be in their hash or wait for it; one more is answered `busy`."""

    @cached_property
    def grants(self) -> GrantPolicy:
        """Which addresses may hold a grant. Raises ConfigError."""
        try:
            return GrantPolicy(
                self.grant_deny_networks,
                self.grant_allow_networks,
                self.trusted_proxies,
                on=self.open_smtp,
                file=NetworkFile(self.grant_deny_file),
            )
        except BadAddress as error:
            raise ConfigError(f"POSTRIDER_GRANT_DENY_NETWORKS, _ALLOW_NETWORKS or TRUSTED_PROXIES: {error}") from error

    @cached_property
    def issuer(self) -> Issuer | None:
        """Whose access tokens are taken; None: nobody's. Raises ConfigError."""
        if not self.oauth_issuer:
            return None
        url = urlsplit(self.oauth_jwks_url)
        local = url.hostname in ("127.0.0.1", "::1", "localhost")
        if not url.hostname or url.scheme not in (("https", "http") if local else ("https",)):
            raise ConfigError("POSTRIDER_OAUTH_JWKS_URL has to be an https URL, of the issuer's public keys")
        if not self.oauth_audience:
            raise ConfigError("POSTRIDER_OAUTH_AUDIENCE has to be set: a token for another service must not open mail")
        if not self.oauth_algorithms or not SIGNATURES.issuperset(self.oauth_algorithms):
            raise ConfigError(f"POSTRIDER_OAUTH_ALGORITHMS is a list of {', '.join(sorted(SIGNATURES))}")
        scopes = frozenset(self.oauth_scopes)
        return Issuer(self.oauth_issuer, self.oauth_audience, scopes, self.oauth_algorithms, self.oauth_claim)

    @property
    def quotas(self) -> Quotas:
        """The bounds of quotas."""
        return Quotas(self.quota_least_mb << 20, self.quota_most_mb << 20, self.quota_default_mb << 20)

    @cached_property
    def proofs(self) -> ProofKeys:
        """The keys of `proof_key`. Raises ConfigError."""
        return ProofKeys.load(self.proof_key)

    @cached_property
    def returns_domain(self) -> str:
        """The domain of the senders of forwarded mail, "" if they are not rewritten. Raises ConfigError."""
        name = self.srs_domain or (self.helo_name if "." in self.helo_name else "none")
        try:
            return "" if name == "none" else normalise_domain(name)
        except BadAddress as error:
            if not self.srs_domain:  # a host's own name need not be a domain
                return ""
            raise ConfigError(f"POSTRIDER_SRS_DOMAIN: {error}") from error

    @cached_property
    def classic_keys(self) -> tuple[bytes, ...]:
        """Keys of a forwarder that this service replaced."""
        return tuple(key.strip().encode() for key in self.srs_classic_keys.get_secret_value().split(",") if key.strip())

    @cached_property
    def exempt(self) -> Networks:
        """Clients exempt from limits. Raises ConfigError."""
        try:
            return Networks(self.limit_exempt_networks)
        except BadAddress as error:
            raise ConfigError(f"POSTRIDER_LIMIT_EXEMPT_NETWORKS: {error}") from error
