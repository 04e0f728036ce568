"""Packs: objects of many bodies in an object store (docs/decisions/0138)."""

from alembic import op

revision = "0003"
down_revision = "0002"
min_code = 2

STATEMENTS = """
alter table bodies.body add column erased boolean not null default false;
create table bodies.pack (
    id uuid primary key,
    size bigint,
    live bigint not null default 0,
    made_at timestamptz not null,
    dead_at timestamptz,
    rewrite_at timestamptz
);
create index pack_sparse on bodies.pack (id) where dead_at is null and (live * 2 < size or rewrite_at is not null);
create index pack_dead on bodies.pack (dead_at) where dead_at is not null;
create index pack_unfinished on bodies.pack (made_at) where size is null;
create table bodies.packed (
    body_id uuid primary key,
    pack uuid not null,
    at bigint not null,
    octets bigint not null,
    lengths bytea not null
);
create index packed_pack on bodies.packed (pack);
"""


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS.strip().rstrip(";").split(";\n"):
        op.execute(statement)
