"""The forwarding address through which a recipient was reached (docs/decisions/0038)."""

from alembic import op

revision = "0006"
down_revision = "0005"
#: Code 0005 leaves the column at its default: its forwarded copies leave without Delivered-To, as before.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column via text not null default ''",
    "comment on column queue.recipient.via is 'The address of ours whose forward or catch-all leads to it'",
)


def upgrade() -> None:
    """Add the column."""
    for statement in STATEMENTS:
        op.execute(statement)
