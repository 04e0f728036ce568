"""The tables of schema `auth`, defined once; a test compares them with the result of `migrations/`."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from auth.storage.names import QUOTA_LEAST, QUOTA_MOST, SCHEMA
from mailkit.postgres import tables
from mailkit.postgres.tables import time

metadata = MetaData(schema=SCHEMA)


#: `closing`: no mail and no new mailboxes; what is left is purged, then the row is deleted.
domains = Table(
    "domains",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    # L1, `.qmail-default`
    Column("catchall", Text, nullable=False, server_default=text("'bounce'")),
    Column(
        "catchall_mailbox",
        Uuid,
        ForeignKey("auth.mailboxes.id", ondelete="set null", use_alter=True, name="domains_catchall_mailbox_fkey"),
    ),
    Column("catchall_targets", ARRAY(Text)),
    time("created_at"),
    # the domain whose addresses these are; it is no alias itself
    Column("alias_of", Text, ForeignKey("auth.domains.name")),
    # `name+tag` is `name` where it has neither a mailbox nor a forward of its own
    Column("tags", Boolean, nullable=False, server_default=text("false")),
    # has an active key for DKIM
    Column("signing", Boolean, nullable=False, server_default=text("false")),
    # which sender addresses may be used: the operator's choice; null: `identity_signing` once the domain signs, off before
    Column("identity", Text),
    Column("identity_signing", Text, nullable=False, server_default=text("'log'")),
    Column("identity_by", Text, nullable=False, server_default=text("'domain'")),
    # the rule in force
    Column(
        "rule",
        Text,
        Computed(
            "case when not signing then coalesce(identity, 'off') when identity = 'off' then 'log' "
            "else coalesce(identity, identity_signing) end",
            persisted=True,
        ),
    ),
    Index("domains_alias_of", "alias_of", postgresql_where=text("alias_of is not null")),
    CheckConstraint("identity in ('off', 'log', 'enforce')", name="domains_identity"),
    CheckConstraint("identity_signing in ('log', 'enforce')", name="domains_identity_signing"),
    CheckConstraint("identity_by in ('domain', 'mailbox')", name="domains_identity_by"),
    CheckConstraint("state in ('open', 'closing')", name="domains_state"),
    CheckConstraint("catchall in ('bounce', 'mailbox', 'forward')", name="domains_catchall"),
    CheckConstraint("(catchall = 'forward') = (catchall_targets is not null)", name="domains_catchall_targets"),
    CheckConstraint("catchall = 'mailbox' or catchall_mailbox is null", name="domains_catchall_mailbox"),
)

#: `enabled`; `disabled`: accepts mail, no login, no relaying; `purging`: accepts no mail either and is not enabled again.
mailboxes = Table(
    "mailboxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("address", Text, nullable=False, unique=True),
    Column("domain", Text, ForeignKey("auth.domains.name"), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'enabled'")),
    # null: no usable password
    Column("password_hash", Text),
    # incremented with every password change and disabling: open sessions compare it (decision 15)
    Column("credential_version", Integer, nullable=False, server_default=text("1")),
    Column("quota_limit", BigInteger, nullable=False),
    Column("limit_version", Integer, nullable=False, server_default=text("1")),
    time("last_pop3_login", nullable=True),
    time("created_at"),
    CheckConstraint("state in ('enabled', 'disabled', 'purging')", name="mailboxes_state"),
    CheckConstraint(f"quota_limit between {QUOTA_LEAST} and {QUOTA_MOST}", name="mailboxes_quota"),
    CheckConstraint("address = lower(address) and address like '%@' || domain", name="mailboxes_address"),
    Index("mailboxes_domain", "domain", "address"),
)

#: L2, `.qmail-<name>`: `keep_copy` files into the mailbox of the same address as well.
forwards = Table(
    "forwards",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("address", Text, nullable=False, unique=True),
    Column("domain", Text, ForeignKey("auth.domains.name", ondelete="cascade"), nullable=False),
    Column("targets", ARRAY(Text), nullable=False),
    Column("keep_copy", Boolean, nullable=False),
    time("created_at"),
    CheckConstraint("cardinality(targets) between 1 and 100", name="forwards_targets"),
    Index("forwards_domain", "domain", "address"),
)

#: Keys for DKIM (docs/decisions/0088). `new`: not used until its record was seen in the DNS, `check_at`: when to look again;
#: `active`; `old`: replaced at `since`, kept for seven days.
dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("domain", Text, ForeignKey("auth.domains.name", ondelete="cascade"), nullable=False),
    Column("selector", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    # PKCS #8; read by the statement that signs only
    Column("private_key", LargeBinary, nullable=False),
    Column("record", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'new'")),
    time("created_at"),
    time("since"),
    time("check_at", nullable=True),
    UniqueConstraint("domain", "selector", name="dkim_keys_selector"),
    CheckConstraint("algorithm in ('rsa-sha256', 'ed25519-sha256')", name="dkim_keys_algorithm"),
    CheckConstraint("state in ('new', 'active', 'old')", name="dkim_keys_state"),
    CheckConstraint("(state = 'new') = (check_at is not null)", name="dkim_keys_check_at"),
    Index("dkim_keys_one", "domain", "algorithm", "state", unique=True, postgresql_where=text("state <> 'old'")),
    Index("dkim_keys_since", "state", "since"),
    Index("dkim_keys_check", "check_at"),
)

#: S12: an address or `@domain`, lower case.
badmailfrom = Table(
    "badmailfrom",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("entry", Text, nullable=False, unique=True),
    time("created_at"),
)

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

#: Wrong passwords since `window_started`: by account (a login name, existing or not) from networks it has not logged in from,
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

#: Secrets of all replicas: `scram`, from which salts and nonces are made.
secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

#: Keys of the senders of forwarded mail (docs/decisions/0093).
srs_keys = Table(
    "srs_keys",
    metadata,
    Column("made_at", DateTime(timezone=True), primary_key=True),
    Column("value", LargeBinary, nullable=False),
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

#: Events of the trace, partitioned by the time-ordered id; the id of a login is the same for all of an account, network, protocol
#: and hour (docs/decisions/0081).
event = Table(
    "event",
    metadata,
    Column("id", Uuid, primary_key=True),
    time("at"),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("mailbox_id", Uuid),
    Column("client", Text),
    Column("protocol", Text),
    Column("detail", Text, nullable=False),
    Index("event_address", "address", "id"),
    postgresql_partition_by="RANGE (id)",
)

#: Work that one replica does: its holder and the end of its lease (`mailkit.postgres.singleton`).
tables.singleton(metadata)

tables.schema_min_code(metadata)
