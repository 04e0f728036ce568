"""Routes that operators set (docs/decisions/0083)."""

from alembic import op

revision = "0017"
down_revision = "0016"
#: Code 0016 sends by MX what has a route.
min_code = 2

STATEMENTS = (
    """
    create table queue.route (
        kind text not null constraint route_kind check (kind in ('all', 'destination', 'sender', 'account')),
        value text not null,
        host text,
        port integer not null,
        tls text not null,
        username text,
        password text not null,
        source_address text,
        helo text,
        changed_at timestamptz not null,
        primary key (kind, value)
    )
    """,
    "comment on table queue.route is 'Mail that leaves otherwise than by MX, and how'",
    "comment on column queue.route.value is 'A domain, the id of a mailbox, or empty for all'",
    "comment on column queue.route.password is 'Of the smart host; no answer of the API and no view shows it'",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
