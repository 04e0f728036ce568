"""What clients asked about notifications (RFC 3461; docs/decisions/0073)."""

from alembic import op

revision = "0013"
down_revision = "0012"
#: Code 0012 sends mail as if nothing had been asked, and leaves the rows of messages that it finishes.
min_code = 2

STATEMENTS = (
    """
    create table queue.asked (
        message_id uuid not null,
        n smallint not null,
        notify text not null,
        orcpt text not null,
        ret text not null,
        envid text not null,
        primary key (message_id, n)
    )
    """,
    "comment on table queue.asked is 'Notifications that clients asked for (RFC 3461); rows leave with the message'",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
