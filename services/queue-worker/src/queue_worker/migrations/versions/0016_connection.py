"""The address of the host and the facts of TLS with each attempt, for the trace (docs/decisions/0071)."""

from alembic import op

revision = "0016"
down_revision = "0015"
#: Code 0015 records attempts without them.
min_code = 2

_ABOUT = "Address of the host, TLS version and cipher, verified or not"

STATEMENTS = (
    "alter table queue.attempt add column connection text",
    "alter table queue.finished add column connection text",
    f"comment on column queue.attempt.connection is '{_ABOUT}'",
    f"comment on column queue.finished.connection is '{_ABOUT}'",
    """
    create or replace view queue.mail_trace as
    select id as queue_id, null::smallint as n, at, 'accepted' as event, mail_from as sender, null as recipient,
           account, account_address, by, client_address, listener, tls, helo, size, header_id as message_id, bounce_of,
           null as status, null as reply, null as remote_host, null::text as connection
      from queue.submission where at is not null
    union all
    select message_id, n, at, outcome, null, null, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection from queue.attempt
    union all
    select message_id, n, finished_at, state, mail_from, address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection from queue.finished
    """,
)


def upgrade() -> None:
    """Add columns without a default, so that no row is rewritten, and the view's last column."""
    for statement in STATEMENTS:
        op.execute(statement)
