"""Settings of queue-worker."""

import socket
from typing import Literal

from pydantic import Field, SecretStr

from bodystore import ObjectSettings
from mailkit.process.config import CommaList


class QueueSettings(ObjectSettings):
    """Settings that queue-worker reads from its environment."""

    http_port: int = Field(default=8002, ge=0, le=65535)
    """Port of the HTTP side."""
    database_pool: int = Field(default=12, ge=2, le=200)
    """Connections to the Postgres with the schema `queue`."""
    token_gateway_queue: SecretStr = SecretStr("")
    """Token with which smtp-gateway calls this service."""
    mailstore_url: str = "http://127.0.0.1:8003"
    token_queue_mailstore: SecretStr = SecretStr("")
    """Token with which this service calls mailstore."""
    auth_url: str = "http://127.0.0.1:8001"
    token_queue_auth: SecretStr = SecretStr("")
    """Token with which this service calls auth."""
    queue_lifetime_seconds: int = Field(default=86400, ge=1)
    """S8: how long delivery is tried."""
    history_days: int = Field(default=8, ge=2, le=366)
    """How long finished mail, its attempts and who sent it are kept for the trace, in days from its acceptance."""
    retry_first_seconds: int = Field(default=400, ge=1)
    """Delay before the first remote retry (decision 6)."""
    delay_notice_seconds: int = Field(default=0, ge=0)
    """Age of a message at which its sender is notified that it is delayed, 14400 for example; 0: never (docs/decisions/0074)."""
    suppress_after: int = Field(default=0, ge=0, le=1000)
    """Hard bounces of an address after which an account's mail to it is returned at once; 0: never (docs/decisions/0086)."""
    suppress_days: int = Field(default=30, ge=1, le=366)
    """How long hard bounces of an address are remembered after the last one."""
    objects_after_hours: int = Field(default=24, ge=1)
    """Age of a body at which it moves to the object store."""
    objects_keep_days: int = Field(default=30, ge=1)
    """Age of the oldest backup of the database that may be restored: objects that it refers to are kept as long."""
    max_message_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """S7."""
    helo_name: str = Field(default_factory=socket.getfqdn)
    """Our name in EHLO and in bounces."""
    own_names: CommaList = ()
    """Other host names that are ourselves: an MX among them is a loop."""
    dns_servers: CommaList = ()
    """`host:port`, …; the system's when unset."""
    remote_smtp_port: int = Field(default=25, ge=1, le=65535)
    remote_allow_networks: CommaList = ()
    """Non-public networks that MX addresses may lie in."""
    remote_deny_networks: CommaList = ()
    """Public-looking networks that mail is never sent to (a cluster's own); allowed networks take precedence."""
    route_ca_file: str = ""
    """PEM file with further authorities, beside the system's, for certificates that are verified: of smart hosts, MTA-STS."""
    dane: Literal["auto", "always", "never"] = "auto"
    """Obey TLSA records (docs/decisions/0097). `auto`: if all DNS servers are on loopback; `always`: those elsewhere validate, and nobody can change their answers on the way."""
    tls_reports: bool = False
    """Count the TLS sessions of each domain and day, and send reports to domains that ask for them (RFC 8460, docs/decisions/0098)."""
    dmarc_reports: bool = False
    """Count mail from outside for DMARC reports, which queue-worker sends each day to domains that ask for them (RFC 9990, docs/decisions/0092)."""
    mta_sts: bool = True
    """Obey the MTA-STS policies of other domains (RFC 8461, docs/decisions/0095)."""
    remote_ipv4_only: bool = False
    """Send by IPv4 only, for machines whose IPv6 addresses have no PTR records."""
    remote_concurrency: int = Field(default=20, ge=1)
    """Most concurrent conversations with one destination domain."""
    shaping: CommaList = ()
    """Operators of mail hosts that many domains share: `NAME SUFFIX… [conversations=N] [per-minute=N]` each, where a suffix is the
    end of their MX hosts' names, and the limits are each worker's (docs/decisions/0101). `google`, `microsoft` and `yahoo` are
    there; an entry with one of these names changes it."""
    disk_path: str = ""
    """A folder on the disk of the database, if this service can see it."""
    disk_reserve_bytes: int = Field(default=512 * 1024 * 1024, ge=0)
    """Below this much free space new mail is refused (decision 12)."""
    body_collect_seconds: int = Field(default=300, ge=1)
    """Time between two searches for bodies without references."""
    listen_host: str = "127.0.0.1"
    smtp_port: int = 25
    """Our own listener: an MX address that leads there is a loop."""
