"""Addresses that bounced hard (docs/decisions/0086)."""

from alembic import op

revision = "0015"
down_revision = "0014"
#: Code 0014 tries suppressed addresses, and counts no bounces.
min_code = 2

STATEMENTS = (
    """
    create table queue.suppression (
        address text not null,
        flow uuid not null,
        bounces integer not null,
        status text not null,
        reply text not null,
        since timestamptz not null,
        expires timestamptz not null,
        primary key (address, flow)
    )
    """,
    "comment on table queue.suppression is 'Addresses that remote hosts refused for good, by the flow whose mail it was'",
    "comment on column queue.suppression.flow is 'The account, or made of the client without one'",
    "create index suppression_expires on queue.suppression (expires)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
