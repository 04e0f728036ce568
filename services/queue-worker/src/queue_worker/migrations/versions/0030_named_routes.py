"""Routes with a name, for messages that operators choose (docs/decisions/0083)."""

from alembic import op

revision = "0030"
down_revision = "0029"
#: Code 0029 sends what has such a route by MX or by another route.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column route text",
    "comment on column queue.recipient.route is 'The name of the route that an operator chose'",
    "alter table queue.route drop constraint route_kind",
    "alter table queue.route add constraint route_kind"
    " check (kind in ('all', 'destination', 'sender', 'account', 'bounces', 'forwards', 'named'))",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
