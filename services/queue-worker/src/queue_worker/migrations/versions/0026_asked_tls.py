"""What senders ask about TLS (RFC 8689; docs/decisions/0097)."""

from alembic import op

revision = "0026"
down_revision = "0025"
#: Code 0025 sends mail as if nothing had been asked.
min_code = 2

STATEMENTS = (
    "alter table queue.asked add column tls text not null default ''",
    "comment on table queue.asked is "
    "'What senders asked about notifications (RFC 3461) and TLS (RFC 8689); rows leave with the message'",
    "comment on column queue.asked.tls is 'required: REQUIRETLS; optional: TLS-Required: No'",
)


def upgrade() -> None:
    """Add a column with a constant default, so that no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
