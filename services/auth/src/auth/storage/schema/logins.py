"""Tables of logins and of what they open."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

#: S2: `address` may relay until `expires_at` for the account of `mailbox_id` (decision 9).
grants = Table(
    "grants",
    metadata,
    Column("id", Uuid, nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), nullable=False),
    time("granted_at"),
    time("expires_at"),
    # the mailbox's; null: made by code before 0004
    Column("domain", Text),
    PrimaryKeyConstraint("address", "mailbox_id", name="grants_pkey"),
    Index("grants_latest", "address", "expires_at"),
    Index("grants_domain", "address", "domain", "expires_at"),
    Index("grants_mailbox", "mailbox_id"),
    Index("grants_expires", "expires_at"),
)

#: by account and network from those it has (docs/decisions/0039), and by client address.
login_failures = Table(
    "login_failures",
    metadata,
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    time("window_started"),
    PrimaryKeyConstraint("kind", "key", name="login_failures_pkey"),
    CheckConstraint("kind in ('account', 'address', 'network')", name="login_failures_kind"),
    Index("login_failures_window", "window_started"),
)

#: SCRAM-SHA-256's verifier of a mailbox's password, of use while `credential_version` is the mailbox's (docs/decisions/0061).
scram_verifiers = Table(
    "scram_verifiers",
    metadata,
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), primary_key=True),
    Column("credential_version", Integer, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("stored_key", LargeBinary, nullable=False),
    Column("server_key", LargeBinary, nullable=False),
    time("made_at"),
)

#: By which a mailbox's password is recognised without its hash; unlogged, since it can be made again (docs/decisions/0125).
remembered_passwords = Table(
    "remembered_passwords",
    metadata,
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), primary_key=True),
    Column("tag", LargeBinary, nullable=False),
    time("made_at"),
    Index("remembered_passwords_made", "made_at"),
    prefixes=["UNLOGGED"],
)

#: Passwords of a mailbox's devices and programs; `number` is never used again (docs/decisions/0123).
app_passwords = Table(
    "app_passwords",
    metadata,
    Column("number", Integer, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), nullable=False),
    Column("name", Text, nullable=False),
    # its part by which it is found, and a SHA-256 of all of it
    Column("selector", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("protocols", ARRAY(Text), nullable=False),
    # none: from everywhere
    Column("networks", ARRAY(Text), nullable=False),
    time("expires_at", nullable=True),
    time("created_at"),
    # to the hour (docs/decisions/0081)
    time("last_used_at", nullable=True),
    Column("last_used_from", Text),
    UniqueConstraint("mailbox_id", "selector", name="app_passwords_selector"),
    UniqueConstraint("mailbox_id", "name", name="app_passwords_name"),
)

#: Client networks (/24, /64) with a recent right password of a mailbox.
login_networks = Table(
    "login_networks",
    metadata,
    Column("mailbox_id", Uuid, ForeignKey("auth.mailboxes.id", ondelete="cascade"), nullable=False),
    Column("network", Text, nullable=False),
    time("seen_at"),
    PrimaryKeyConstraint("mailbox_id", "network", name="login_networks_pkey"),
    Index("login_networks_seen", "seen_at"),
)

#: Login calls that changed something, for 10 minutes (decision 3); the row is the claim, `answers` has the answer.
operations = Table(
    "operations",
    metadata,
    Column("id", Uuid, primary_key=True),
    time("made_at"),
    Index("operations_made", "made_at"),
)
answers = Table(
    "answers",
    metadata,
    Column("operation_id", Uuid, ForeignKey("auth.operations.id", ondelete="cascade"), primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("retry_after", Integer, nullable=False),
    Column("mailbox_id", Uuid),
    Column("address", Text, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("quota_limit", BigInteger, nullable=False),
    Column("limit_version", Integer, nullable=False),
)

#: Relayed recipients per account and clock hour (decision 9); for forwards the domain is charged (docs/decisions/0038).
relay_use = Table(
    "relay_use",
    metadata,
    Column("mailbox_id", Uuid, nullable=False),
    Column("hour", DateTime(timezone=True), nullable=False),
    Column("used", BigInteger, nullable=False),
    PrimaryKeyConstraint("mailbox_id", "hour", name="relay_use_pkey"),
    Index("relay_use_hour", "hour"),
)

#: What accounts whose plan limits rates relayed until `at`: counts in rings of parts of a minute, an hour and a day (docs/decisions/0115).
relay_rates = Table(
    "relay_rates",
    metadata,
    Column("mailbox_id", Uuid, primary_key=True),
    time("at"),
    Column("messages", ARRAY(Integer), nullable=False),
    Column("recipients", ARRAY(Integer), nullable=False),
    Index("relay_rates_at", "at"),
)
