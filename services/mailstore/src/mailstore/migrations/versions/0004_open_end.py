"""Mark of messages whose last line has no CRLF (only from APPEND): POP3 sends, and so announces, two octets more."""

from alembic import op

revision = "0004"
down_revision = "0003"
min_code = 2


def upgrade() -> None:
    """Add the column; its default is constant, so no row is rewritten. Messages appended before keep their announced size."""
    op.execute("alter table mailstore.message add column open_end boolean not null default false")
