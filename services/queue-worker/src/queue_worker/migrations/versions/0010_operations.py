"""Held recipients, pauses, removed recipients in the history, and the views for operators (docs/decisions/0066, 0067)."""

from alembic import op

revision = "0010"
down_revision = "0009"
#: Code 0009 shows a held recipient as waiting until the year 9999, and does not obey pauses.
min_code = 2

STATEMENTS = (
    "alter table queue.recipient add column held_at timestamptz",
    "comment on column queue.recipient.held_at is 'Since when an operator holds it; its due time is then the year 9999'",
    """
    create table queue.pause (
        kind text not null constraint pause_kind check (kind in ('all', 'destination', 'account')),
        value text not null,
        since timestamptz not null,
        reason text not null,
        primary key (kind, value)
    )
    """,
    "comment on table queue.pause is 'Destinations and accounts whose mail is not tried; all: no mail is'",
    "comment on column queue.pause.value is 'A domain, the id of a mailbox, or empty for all'",
    "alter table queue.finished drop constraint finished_state",
    # every row meets the former constraint; not valid spares reading a week of history
    "alter table queue.finished add constraint finished_state "
    "check (state in ('delivered', 'failed', 'expired', 'removed')) not valid",
    """
    create view queue.mail_queue as
    select r.message_id as queue_id, r.n, m.mail_from as sender, r.address as recipient, r.original,
           case when r.mailbox_id is null then 'remote' else 'local' end as kind,
           lower(substr(r.address, length(r.address) - position('@' in reverse(r.address)) + 2)) as domain,
           m.account, m.client_address, m.size, m.first_seen, m.expires,
           case when r.held_at is not null and r.state = 'waiting' then 'held' else r.state end as state,
           case when r.held_at is null and r.state = 'waiting' then r.due end as next_attempt,
           r.held_at, r.tries, r.in_doubt, r.status, r.reply, r.remote_host
      from queue.message m join queue.recipient r on r.message_id = m.id
    """,
    "comment on view queue.mail_queue is 'Recipients under way, as postrider queue shows them. Columns are only ever added'",
    """
    create view queue.mail_attempts as
    select message_id as queue_id, n, at, outcome, status, reply, remote_host from queue.attempt
    union all
    select message_id, n, finished_at, state, status, reply, remote_host from queue.finished
    """,
    "comment on view queue.mail_attempts is 'Ended attempts of eight days, the final ones last. Columns are only ever added'",
)


def upgrade() -> None:
    """Add the column, the table and the views, and admit the new state."""
    for statement in STATEMENTS:
        op.execute(statement)
