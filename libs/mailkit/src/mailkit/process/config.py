"""Settings: one typed object per service, from `POSTRIDER_…` variables; an unknown name is an error.

pydantic-settings ignores a misspelt variable silently, so the environment itself is checked here.
"""

import difflib
import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mailkit.errors import ConfigError

PREFIX = "POSTRIDER_"

#: Every name of the product without the prefix, for all services: names of other services are accepted.
KNOWN_NAMES = frozenset(
    [
        "DATABASE_URL",
        "BODIES_DATABASE_URL",
        "OBJECTS_URL",
        "OBJECTS_BUCKET",
        "OBJECTS_REGION",
        "OBJECTS_KEY_ID",
        "OBJECTS_SECRET",
        "OBJECTS_AFTER_HOURS",
        "OBJECTS_KEEP_DAYS",
        "DATABASE_POOL",
        "DATABASE_SECRET",
        "DATABASE_HOST",
        "DATABASE_PORT",
        "DATABASE_NAME",
        "DATABASE_SSLMODE",
        "DATABASE_ROLES",
        "SCHEMA_WAIT_SECONDS",
        "OPEN_SMTP",
        "DIRECT_PORT_OFFSET",
        "INTERNAL_SUBMISSION_PORT",
        "INTERNAL_IMAPS_PORT",
        "AUTH_URL",
        "QUEUE_URL",
        "MAILSTORE_URL",
        "GATEWAY_URL",
        "FRONTEND_URL",
        "ADMIN_TOKEN",
        "TOKEN",
        "TOKEN_GATEWAY_AUTH",
        "TOKEN_GATEWAY_MAILSTORE",
        "TOKEN_GATEWAY_QUEUE",
        "TOKEN_SIMULATE_GATEWAY",
        "TOKEN_QUEUE_MAILSTORE",
        "TOKEN_QUEUE_AUTH",
        "TOKEN_FRONTEND_AUTH",
        "TOKEN_FRONTEND_MAILSTORE",
        "PROOF_KEY",
        "HTTP_HOST",
        "HTTP_PORT",
        "METRICS_PORT",
        "LISTEN_HOST",
        "SMTP_PORT",
        "SMTPS_PORT",
        "SUBMISSION_PORT",
        "POP3_PORT",
        "POP3S_PORT",
        "IMAP_PORT",
        "IMAPS_PORT",
        "CERTIFICATES",
        "TLS_MINIMUM",
        "CA_FILE",
        "HOST",
        "HELO_NAME",
        "PORT_OFFSET",
        "STATE",
        "CLI",
        "LAUNCHER_PID",
        "LAUNCHER_FD",
        "DEMO_DOMAIN",
        "DEMO_USERS",
        "CLOCK_OFFSET_SECONDS",
        "SINGLE_MACHINE",
        "LOG_LEVEL",
        "LOG_ADDRESS_KEY",
        "OTLP_ENDPOINT",
        "DRAIN_DELAY_SECONDS",
        "GRACE_SECONDS",
        "DISK_RESERVE_BYTES",
        "DISK_PATH",
        "OPEN_SMTP_SECONDS",
        "QUEUE_LIFETIME_SECONDS",
        "DELAY_NOTICE_SECONDS",
        "SUPPRESS_AFTER",
        "SUPPRESS_DAYS",
        "RETRY_FIRST_SECONDS",
        "OLD_HOST_CA_FILE",
        "ROUTE_CA_FILE",
        "MTA_STS",
        "DANE",
        "TLS_REPORTS",
        "POP3_LOGIN_DELAY_SECONDS",
        "POP3_LOGIN_DELAY_PADDING_SECONDS",
        "MAX_HEADER_BYTES",
        "MAX_MESSAGE_BYTES",
        "MESSAGE_ROW_BYTES",
        "MAILBOX_MESSAGES",
        "UNDELETE_DAYS",
        "TRASH_DAYS",
        "JUNK_DAYS",
        "QUOTA_WARNING_PERCENT",
        "MAILSTORE_READ_BYTES",
        "TEXT_INDEX",
        "GRANT_DENY_FILE",
        "GRANT_DENY_NETWORKS",
        "GRANT_ALLOW_NETWORKS",
        "LIMIT_EXEMPT_NETWORKS",
        "FORWARDED_PER_HOUR",
        "RETURNED_PER_HOUR",
        "SRS_DOMAIN",
        "SRS_CLASSIC_KEYS",
        "RECIPIENTS_PER_HOUR",
        "RECIPIENTS_PER_MESSAGE",
        "TRUSTED_PROXIES",
        "SENDER_IDENTITY",
        "SHAPING",
        "SENDING_HOSTS",
        "IDENTITY_OF_NEW_DOMAINS",
        "DKIM_OF_NEW_DOMAINS",
        "DKIM_DAYS",
        "OAUTH",
        "OAUTH_ALGORITHMS",
        "OAUTH_AUDIENCE",
        "OAUTH_CLAIM",
        "OAUTH_ISSUER",
        "OAUTH_JWKS_URL",
        "OAUTH_SCOPES",
        "SCRAM",
        "SCRAM_ITERATIONS",
        "SMTP_PLAINTEXT_AUTH",
        "CONNECTIONS_PER_MINUTE",
        "MESSAGES_PER_MINUTE",
        "SMTP_CROWDED_SECONDS",
        "SMTP_SOFT_ERRORS",
        "SMTP_HARD_ERRORS",
        "SMTP_JUNK_COMMANDS",
        "SMTP_ERROR_SECONDS",
        "SMTP_STRICT",
        "SMTP_STRIP_NUL",
        "SMTP_REMOVE_BCC",
        "SMTP_REPAIR_BARE_LF",
        "TARGETS_PER_MESSAGE",
        "POP3_PLAINTEXT_AUTH",
        "IMAP_PLAINTEXT_AUTH",
        "PRIMARY_DOMAIN",
        "QUOTA_LEAST_MB",
        "QUOTA_MOST_MB",
        "QUOTA_DEFAULT_MB",
        "DNS_SERVERS",
        "AUTHENTICATE_MAIL",
        "DMARC_REJECT",
        "DMARC_QUARANTINE",
        "DMARC_DOMAINS",
        "DMARC_REPORTS",
        "TRUSTED_FORWARDERS",
        "SCANNER_URL",
        "SCANNER_SECONDS",
        "REMOTE_SMTP_PORT",
        "REMOTE_ALLOW_NETWORKS",
        "REMOTE_DENY_NETWORKS",
        "REMOTE_IPV4_ONLY",
        "REMOTE_CONCURRENCY",
        "OWN_NAMES",
        "GATEWAY_BODY_BYTES",
        "GATEWAY_CONNECTIONS",
        "CONNECTIONS_PER_ADDRESS",
        "FRONTEND_CONNECTIONS",
        "SMTP_COMMAND_SECONDS",
        "SMTP_DATA_SECONDS",
        "POP3_IDLE_SECONDS",
        "IMAP_IDLE_SECONDS",
        "IMAP_KEEPALIVE_SECONDS",
        "IMAP_UNAUTHENTICATE",
        "IMAP_COMMANDS_PER_MAILBOX",
        "IMAP_LITERAL_BYTES_PER_MAILBOX",
        "LOGIN_DELAYS",
        "LOGIN_DELAYS_PER_NETWORK",
        "LOGIN_FAILURE_DELAY_SECONDS",
        "LOGIN_FAILURES_ELSEWHERE",
        "LOGIN_FAILURES_PER_ACCOUNT",
        "LOGIN_FAILURES_PER_ADDRESS",
        "LOGIN_FAILURE_WINDOW_SECONDS",
        "HASH_QUEUE",
        "HISTORY_DAYS",
        "BODY_COLLECT_SECONDS",
    ]
)


def _listed(value: Any) -> Any:
    """Split `a, b,c` from the environment into a tuple."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


#: Type of a field for a comma-separated setting, a tuple of strings.
CommaList = Annotated[tuple[str, ...], NoDecode]


def secret_list(setting: SecretStr | str) -> list[bytes]:
    """Split a secret that may be a comma list, so that it can be replaced without a gap.

    The first part is sent or signs, and each is accepted (docs/operate/secrets.md).
    """
    text = setting.get_secret_value() if isinstance(setting, SecretStr) else setting
    return [part.strip().encode() for part in text.split(",") if part.strip()]


class ServiceSettings(BaseSettings):
    """Settings of every service. A service's own class adds its fields; the docstring of a field is its manual."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True, frozen=True)

    http_host: str = "127.0.0.1"
    """Address the HTTP side listens on."""
    http_port: int = Field(default=0, ge=0, le=65535)
    """Port of the HTTP side; each service has its own default."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port that answers `/metrics` and nothing else; 0: the HTTP side's own port answers it."""
    log_level: str = "info"
    log_address_key: SecretStr = SecretStr("")
    """If set, log lines have keyed hashes (HMAC-SHA-256) in place of mail addresses: the same one for the same address."""
    otlp_endpoint: str = ""
    """URL of an OpenTelemetry collector (OTLP over HTTP, without /v1/traces), which then gets spans of each message
    (docs/decisions/0102). smtp-gateway, queue-worker and mailstore record them."""
    admin_token: SecretStr = SecretStr("")
    """Bearer token of operators and the command line; empty: the admin API refuses all requests. Like every token a comma
    list: the first is sent, each is accepted."""
    clock_offset_seconds: float = 0.0
    """Added to the clock; accepted only with POSTRIDER_SINGLE_MACHINE=1 (decision 11)."""
    single_machine: bool = False
    """Set by the launcher of the single-machine run."""
    drain_delay_seconds: float = 0.0
    """Seconds after SIGTERM for which new connections are still accepted (decision 13: 5 in a cluster)."""
    grace_seconds: float = 8.0
    """Seconds that work in progress may take after that (630 in the chart)."""

    @field_validator("*", mode="before")
    @classmethod
    def _split_lists(cls, value: Any, info: Any) -> Any:
        field = cls.model_fields[info.field_name]
        return _listed(value) if field.annotation == tuple[str, ...] else value

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Load the settings from `environ`; None: the process's environment.

        Raises ConfigError with one sentence for an unknown name, an invalid value, or a clock offset outside the
        single-machine run. The sentence holds no value, which may be a secret.
        """
        refuse_unknown(os.environ if environ is None else environ)
        try:
            settings = cls() if environ is None else cls(**_own(cls, environ))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = "_".join(str(part) for part in first["loc"]).upper()
            raise ConfigError(f"{PREFIX}{name}: {first['msg']}") from None
        if settings.clock_offset_seconds and not settings.single_machine:
            raise ConfigError("POSTRIDER_CLOCK_OFFSET_SECONDS is for the single-machine run only; unset it")
        return settings


def _own(cls: type[ServiceSettings], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables of `environ` that are fields of `cls`, by field name; empty values count as unset."""
    return {
        name: environ[PREFIX + name.upper()]
        for name in cls.model_fields
        if environ.get(PREFIX + name.upper(), "") != ""
    }


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Check the names of the `POSTRIDER_…` variables. Raises ConfigError for one that no service knows."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in KNOWN_NAMES:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), KNOWN_NAMES, n=1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            raise ConfigError(f"{name} is not a setting of Postrider{hint}")
