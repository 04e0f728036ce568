"""The tables of schema `bodies`, defined once; the revisions in `migrations/` build them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Uuid,
    text,
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
    # it is not moved to a pack, and a pack that has it is rewritten
    Column("erased", Boolean, nullable=False, server_default=text("false")),
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

#: Objects of many bodies in the object store (docs/decisions/0138). `size`: stored octets of the bodies that were put in it;
#: null: being written. `live`: of those that it still holds; `dead_at`: it holds none since then, and the object is deleted later. `rewrite_at`: it holds erased mail.
pack = Table(
    "pack",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("size", BigInteger),
    Column("live", BigInteger, nullable=False, server_default=text("0")),
    tables.time("made_at"),
    tables.time("dead_at", nullable=True),
    tables.time("rewrite_at", nullable=True),
    Index(
        "pack_sparse", "id", postgresql_where=text("dead_at is null and (live * 2 < size or rewrite_at is not null)")
    ),
    Index("pack_dead", "dead_at", postgresql_where=text("dead_at is not null")),
    Index("pack_unfinished", "made_at", postgresql_where=text("size is null")),
)

#: Bodies in packs: the offset of the first stored chunk, and the stored octets of each, four octets big-endian.
packed = Table(
    "packed",
    metadata,
    Column("body_id", Uuid, primary_key=True),
    Column("pack", Uuid, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("lengths", LargeBinary, nullable=False),
    Index("packed_pack", "pack"),
)

tables.schema_min_code(metadata)
