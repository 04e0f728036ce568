"""The trace that a message belongs to (docs/decisions/0102)."""

from alembic import op

revision = "0025"
down_revision = "0024"
#: Code 0024 records no spans.
min_code = 2

STATEMENTS = (
    "alter table queue.message add column traceparent text",
    "comment on column queue.message.traceparent is 'The trace that its spans belong to (W3C Trace Context)'",
)


def upgrade() -> None:
    """Add a column without a default, so that no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
