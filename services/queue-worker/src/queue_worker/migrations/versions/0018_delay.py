"""Notices of delays: the mark of the recipient, and the notice in the history (docs/decisions/0074)."""

from alembic import op

revision = "0018"
down_revision = "0017"
#: Code 0017 sends no such notices.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column delay_noted boolean not null default false",
    "comment on column queue.recipient.delay_noted is 'The sender has had a notice of the delay'",
    "alter table queue.attempt add column notice uuid",
    "comment on column queue.attempt.notice is 'The notice of the delay that the sender was sent after it'",
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
    select message_id, n, at, 'delay_noted', null, null, null, null, null, null, null, null, null, null, null, null,
           null, 'the sender was notified by ' || replace(notice::text, '-', ''), null, null
      from queue.attempt where notice is not null
    union all
    select message_id, n, finished_at, state, mail_from, address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection from queue.finished
    """,
)


def upgrade() -> None:
    """Add columns whose default is constant, so that no row is rewritten, and the view's further event."""
    for statement in STATEMENTS:
        op.execute(statement)
