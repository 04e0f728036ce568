"""Results of TLS sessions, for reports (RFC 8460; docs/decisions/0098)."""

from alembic import op

revision = "0028"
down_revision = "0027"
#: Code 0027 counts nothing.
min_code = 2

STATEMENTS = (
    """
    create table queue.tls_result (
        day date not null,
        domain text not null,
        policy text not null,
        record text not null,
        failure text not null,
        host text not null,
        address text not null,
        strings text not null,
        mx text not null,
        sessions bigint not null,
        primary key (day, domain, policy, record, failure, host, address)
    )
    """,
    "comment on table queue.tls_result is "
    "'TLS sessions with other providers by day and domain, until they are reported (RFC 8460)'",
    "comment on column queue.tls_result.policy is 'A policy type of RFC 8460 4.2'",
    "comment on column queue.tls_result.failure is 'A failure type of RFC 8460 4.3; empty: successful'",
    "comment on column queue.tls_result.strings is 'The policy as published, in lines'",
    "comment on column queue.tls_result.mx is 'The patterns of its hosts, in lines'",
)


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS:
        op.execute(statement)
