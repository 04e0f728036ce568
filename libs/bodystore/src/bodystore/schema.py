"""The tables of schema `bodies`, defined once; the revisions in `migrations/` build them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Uuid,
)

from mailkit.postgres import tables

SCHEMA = "bodies"
metadata = MetaData(schema=SCHEMA)

#: One message's octets. `marked_at`: the collector is about to delete it, and no first reference may be made any more.
body = Table(
    "body",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("marked_at", DateTime(timezone=True)),
)

#: Chunks of 256 KiB of a body, each compressed separately; the first octet is the method (0 none, 1 zstd).
chunk = Table(
    "chunk",
    metadata,
    Column("body_id", Uuid, nullable=False),
    Column("n", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("body_id", "n", name="chunk_pkey"),
)

#: Bodies that may have lost a reference, or never got one, to be checked when due. Each loss adds a row.
candidate = Table(
    "candidate",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("body_id", Uuid, nullable=False),
    Column("due", DateTime(timezone=True), nullable=False),
    Index("candidate_due", "due"),
)

tables.schema_min_code(metadata)
