"""The database start and timeline in which an attempt began: after a failover it is in doubt (docs/decisions/0030)."""

from alembic import op

revision = "0005"
down_revision = "0004"
#: Code 0004 leaves the column empty in what it claims; such an attempt is in doubt when its lease runs out.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column database_life text",
    "comment on column queue.recipient.database_life is 'Timeline and start of the database that the claim was made in'",
)


def upgrade() -> None:
    """Add the column."""
    for statement in STATEMENTS:
        op.execute(statement)
