"""The table of the audit."""

from sqlalchemy import BigInteger, Column, Identity, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

#: What a caller has changed; written by triggers alone, in the transaction of the change (docs/decisions/0119).
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    time("at"),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("token_id", Uuid),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("customer_id", Uuid),
    Column("domain", Text),
    Column("before", JSONB),
    Column("after", JSONB),
    Index("audit_at", "at"),
    Index("audit_actor", "actor", "number"),
    Index("audit_object", "object", "number"),
    Index("audit_customer", "customer_id", "number", postgresql_where=text("customer_id is not null")),
    Index("audit_domain", "domain", "number", postgresql_where=text("domain is not null")),
)
