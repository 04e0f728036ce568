"""The address that failed TLS sessions were made from, for reports (RFC 8460 4.4, sending-mta-ip)."""

from alembic import op

revision = "0032"
down_revision = "0031"
#: Code 0031 counts without it.
min_code = 2


def upgrade() -> None:
    """Add a column with a constant default, so that no row is rewritten."""
    op.execute("alter table queue.tls_result add column source text not null default ''")
    op.execute("comment on column queue.tls_result.source is 'Our address in the last of them, if it is a public one'")
