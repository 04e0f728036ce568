"""Tables of customers and their plans."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

#: What the domains of a plan's customers may have (docs/decisions/0114). `limits`: the fields that are set, by name.
plans = Table(
    "plans",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("limits", JSONB, nullable=False, server_default=text("'{}'")),
    time("created_at"),
)

customers = Table(
    "customers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("plan_id", Uuid, ForeignKey("auth.plans.id")),
    time("created_at"),
    Index("customers_plan", "plan_id"),
)
