"""Rates of messages and recipients by plan (docs/decisions/0115)."""

from alembic import op

revision = "0017"
down_revision = "0016"
#: Code 0016 limits no rates by plan.
min_code = 2

STATEMENTS = (
    "create table auth.relay_rates (mailbox_id uuid primary key, at timestamptz not null, messages integer[] not null, "
    "recipients integer[] not null)",
    "create index relay_rates_at on auth.relay_rates (at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
