"""Tables of the tokens for the operators' API."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Table, Text, Uuid

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

#: `domain`, else `customer_id`: what the token is confined to; null: everything (docs/decisions/0117).
tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("customer_id", Uuid, ForeignKey("auth.customers.id", ondelete="cascade")),
    Column("domain", Text, ForeignKey("auth.domains.name", ondelete="cascade", onupdate="cascade")),
    Column("made_by", Text, nullable=False),
    time("created_at"),
    time("expires_at", nullable=True),
    CheckConstraint("role in ('operator', 'customer', 'domain', 'read-only')", name="tokens_role"),
    CheckConstraint("role <> 'operator' or (customer_id is null and domain is null)", name="tokens_operator"),
    CheckConstraint("role <> 'customer' or (customer_id is not null and domain is null)", name="tokens_customer_role"),
    CheckConstraint("role <> 'domain' or domain is not null", name="tokens_domain_role"),
    Index("tokens_customer", "customer_id", "id"),
    Index("tokens_domain", "domain", "id"),
)

#: SHA-256 of a token. `until`: a rotated one's end; null: the token's own end counts.
token_secrets = Table(
    "token_secrets",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("token_id", Uuid, ForeignKey("auth.tokens.id", ondelete="cascade"), nullable=False),
    time("until", nullable=True),
    Index("token_secrets_token", "token_id"),
)
