"""MTA-STS policies of other domains (RFC 8461; docs/decisions/0095)."""

from alembic import op

revision = "0024"
down_revision = "0023"
#: Code 0023 uses opportunistic TLS whatever a policy says.
min_code = 2

STATEMENTS = (
    """
    create table queue.sts_policy (
        domain text primary key,
        id text not null,
        mode text not null,
        mx text[] not null,
        max_age integer not null,
        expires timestamptz not null,
        used_at timestamptz not null,
        refresh_at timestamptz not null
    )
    """,
    "create index sts_policy_refresh on queue.sts_policy (refresh_at)",
    "create index sts_policy_expires on queue.sts_policy (expires)",
    "comment on table queue.sts_policy is 'MTA-STS policies of other domains (RFC 8461) until they expire'",
    "comment on column queue.sts_policy.id is 'Of the TXT record _mta-sts.<domain>'",
    "comment on column queue.sts_policy.mx is 'Patterns of the hosts'' names'",
    "comment on column queue.sts_policy.used_at is 'Last use, to within a day'",
    "comment on column queue.sts_policy.refresh_at is 'When it is fetched again'",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
