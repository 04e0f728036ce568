"""The envelope sender of a forwarded copy belongs to the recipient; the history names it and the forward (docs/decisions/0093)."""

from alembic import op

revision = "0021"
down_revision = "0020"
#: Code 0020 sends forwarded copies with the message's sender, and records none in the history.
min_code = 2

_SENDER = "The envelope sender of this copy; empty for the message''s"

STATEMENTS = (
    "alter table queue.recipient add column sender text not null default ''",
    f"comment on column queue.recipient.sender is '{_SENDER}'",
    """
    create type queue.new_recipient_2 as (
        message_id uuid, n smallint, destination text, address text, original text, mailbox_id uuid, quota_limit bigint,
        limit_version int, looped boolean, flow uuid, via text, sender text
    )
    """,
    "alter table queue.finished add column via text",
    "alter table queue.finished add column sender text",
    "comment on column queue.finished.via is 'The address of ours whose forward or catch-all led to it'",
    "comment on column queue.finished.sender is 'The envelope sender of this copy, if it was not the message''s'",
    """
    create or replace view queue.mail_trace as
    select id as queue_id, null::smallint as n, at, 'accepted' as event, mail_from as sender, null as recipient,
           account, account_address, by, client_address, listener, tls, helo, size, header_id as message_id, bounce_of,
           null as status, null as reply, null as remote_host, null::text as connection, verdicts,
           null::text as actor, null::text as reason,
           null::text as forwarded_by
      from queue.submission where at is not null
    union all
    select message_id, n, at, outcome, null, null, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null, null, null, null from queue.attempt
    union all
    select message_id, n, at, 'delay_noted', null, null, null, null, null, null, null, null, null, null, null, null,
           null, 'the sender was notified by ' || replace(notice::text, '-', ''), null, null, null, null, null, null
      from queue.attempt where notice is not null
    union all
    select message_id, n, finished_at, state, coalesce(sender, mail_from), address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null, null, null, via from queue.finished
    union all
    select r.message_id, r.n, o.at, o.action, null, r.address, null, null, null, null, null, null, null, null, null, null,
           null, null, null, null, null, o.actor, o.reason, null
      from (select message_id, n, address, acted from queue.recipient where acted is not null
            union all
            select message_id, n, address, acted from queue.finished where acted is not null) r
           cross join lateral unnest(r.acted) as a(id) join queue.operation o on o.id = a.id
    """,
)


def upgrade() -> None:
    """Add columns, none of which rewrites a row, a type, and the view's last column."""
    for statement in STATEMENTS:
        op.execute(statement)
