"""Tables of keys: DKIM, senders of forwarded mail, secrets of all replicas."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

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
