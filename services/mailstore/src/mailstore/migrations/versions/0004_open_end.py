"""Which messages have a last line without CRLF (only APPEND can bring one): POP3 sends, and so announces, two octets more."""

from alembic import op

revision = "0004"
down_revision = "0003"
min_code = 2


def upgrade() -> None:
    """A constant default: no row is touched. What was appended before keeps its size as announced."""
    op.execute("alter table mailstore.message add column open_end boolean not null default false")
