"""Maintenance by one replica for all: its lease (design decision 13's drain gives it back)."""

from alembic import op

revision = "0003"
down_revision = "0002"
#: Code 0002 knows nothing of it.
min_code = 2


def upgrade() -> None:
    """Make the lease's table."""
    op.execute("""
        create table auth.singleton (
            name text primary key,
            holder uuid not null,
            fence bigint not null,
            until timestamptz not null
        )
    """)
