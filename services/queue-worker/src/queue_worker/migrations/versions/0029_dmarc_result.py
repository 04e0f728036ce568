"""Mail from outside as DMARC reports tell it (RFC 9990; docs/decisions/0092)."""

from alembic import op

revision = "0029"
down_revision = "0028"
#: Code 0028 counts nothing.
min_code = 2

STATEMENTS = (
    """
    create table queue.dmarc_result (
        day date not null,
        domain text not null,
        key uuid not null,
        facts text not null,
        policy text not null,
        seen timestamptz not null,
        messages bigint not null,
        primary key (day, domain, key)
    )
    """,
    "comment on table queue.dmarc_result is "
    "'Mail from outside by day, policy domain, source and results, until it is reported (RFC 9990)'",
    "comment on column queue.dmarc_result.domain is 'Of the policy record'",
    "comment on column queue.dmarc_result.key is 'A hash of facts; zero: messages that were left out'",
    "comment on column queue.dmarc_result.facts is 'Source, results and identifiers, as JSON'",
    "comment on column queue.dmarc_result.policy is 'The tags of the policy record that was seen last'",
    "comment on column queue.dmarc_result.seen is 'When messages were added last'",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
