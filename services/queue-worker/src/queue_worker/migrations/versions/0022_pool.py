"""Pools of source addresses, and routes of bounces and forwards (docs/decisions/0100)."""

from alembic import op

revision = "0022"
down_revision = "0021"
#: Code 0021 sends by MX what has a pool.
min_code = 2

STATEMENTS = (
    "alter table queue.route add column pool text[] not null default '{}'",
    "comment on column queue.route.pool is 'A HELO name and its addresses each'",
    "alter table queue.route drop constraint route_kind",
    """
    alter table queue.route add constraint route_kind
        check (kind in ('all', 'destination', 'sender', 'account', 'bounces', 'forwards'))
    """,
)


def upgrade() -> None:
    """Add the column, and allow the kinds."""
    for statement in STATEMENTS:
        op.execute(statement)
