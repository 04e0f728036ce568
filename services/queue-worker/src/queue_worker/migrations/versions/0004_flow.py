"""The flow on whose share of the outbound conversations a recipient is delivered (docs/decisions/0036)."""

from alembic import op

revision = "0004"
down_revision = "0003"
#: Code 0003 leaves the column at its default; its claims use the new index by its first column.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column flow uuid not null default '00000000-0000-0000-0000-000000000000'",
    "comment on column queue.recipient.flow is 'Account, client network or sender that it is sent for: shares are by flow'",
    "create index if not exists recipient_remote_flow on queue.recipient (destination, flow, due) where mailbox_id is null",
    "drop index if exists queue.recipient_remote_due",
)


def upgrade() -> None:
    """Add the column, and replace the index over destinations by one over destinations and flows."""
    for statement in STATEMENTS:
        op.execute(statement)
