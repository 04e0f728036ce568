"""Time of the warning that a mailbox is almost full (decision 0057)."""

from alembic import op

revision = "0009"
down_revision = "0008"
min_code = 2


def upgrade() -> None:
    """Add the column, which is null: no row is rewritten."""
    op.execute("alter table mailstore.mailbox add column if not exists quota_warned_at timestamptz")
