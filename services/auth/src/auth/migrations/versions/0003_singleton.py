"""The lease for maintenance, which one replica does for all (the drain of decision 13 releases it)."""

from alembic import op

revision = "0003"
down_revision = "0002"
#: Code 0002 does not use the table.
min_code = 2


def upgrade() -> None:
    """Create the lease's table."""
    op.execute("""
        create table auth.singleton (
            name text primary key,
            holder uuid not null,
            fence bigint not null,
            until timestamptz not null
        )
    """)
