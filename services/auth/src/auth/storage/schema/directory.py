"""Tables of the directory: domains, mailboxes, forwards, refused senders."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

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
    # null: the operator's own
    Column("customer_id", Uuid, ForeignKey("auth.customers.id")),
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
    Index("domains_catchall_targets_key", "catchall_targets", postgresql_using="gin"),
    Index("domains_customer", "customer_id", "name", postgresql_where=text("customer_id is not null")),
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
    # false: mail clients log in with app passwords only
    Column("main_password", Boolean, nullable=False, server_default=text("true")),
    # incremented with every password change and disabling: open sessions compare it (decision 15)
    Column("credential_version", Integer, nullable=False, server_default=text("1")),
    Column("quota_limit", BigInteger, nullable=False),
    Column("limit_version", Integer, nullable=False, server_default=text("1")),
    time("last_pop3_login", nullable=True),
    time("created_at"),
    CheckConstraint("state in ('enabled', 'disabled', 'purging')", name="mailboxes_state"),
    CheckConstraint("quota_limit > 0", name="mailboxes_quota_positive"),
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
    Index("forwards_targets_key", "targets", postgresql_using="gin"),
)

#: S12: an address or `@domain`, lower case.
badmailfrom = Table(
    "badmailfrom",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("entry", Text, nullable=False, unique=True),
    time("created_at"),
)
