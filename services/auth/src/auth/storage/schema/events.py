"""Tables of the trace."""

from sqlalchemy import (
    Column,
    Index,
    Table,
    Text,
    Uuid,
)

from auth.storage.schema.base import metadata
from mailkit.postgres.tables import time

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
