"""Indexes over an address's grants by domain and by time: MAIL and RCPT read one grant only (docs/decisions/0041)."""

from alembic import op

revision = "0004"
down_revision = "0003"
#: Code 0003 leaves the domain out: for its hour such a grant is found for its own mailbox and as the latest.
min_code = 2


def upgrade() -> None:
    """Add the column and the indexes; on a million grants create them by hand first, concurrently (decision 0021)."""
    op.execute("alter table auth.grants add column domain text")
    op.execute("create index if not exists grants_latest on auth.grants (address, expires_at)")
    op.execute("create index if not exists grants_domain on auth.grants (address, domain, expires_at)")
    op.execute("update auth.grants g set domain = m.domain from auth.mailboxes m where m.id = g.mailbox_id")
