"""What smtp-gateway found out about a message from outside: verdicts for the trace, where it is filed (docs/decisions/0090)."""

from alembic import op

revision = "0019"
down_revision = "0018"
#: Code 0018 inserts messages without it: they are filed into INBOXes.
min_code = 2

_VERDICTS = "What SPF, DKIM, ARC, DMARC and a scanner found: a JSON list"

STATEMENTS = (
    """
    alter table queue.message
        add column folder text not null default '',
        add column flags text[] not null default '{}',
        add column dmarc_failed boolean not null default false
    """,
    "comment on column queue.message.folder is 'Special use of the folder that its local copies are filed into; empty: INBOX'",
    "comment on column queue.message.flags is 'Flags that its local copies get'",
    "comment on column queue.message.dmarc_failed is 'It failed DMARC with p=reject: it is never forwarded'",
    "alter table queue.submission add column verdicts text",
    f"comment on column queue.submission.verdicts is '{_VERDICTS}'",
    """
    create type queue.new_message_3 as (
        id uuid, mail_from text, body_id uuid, size bigint, account uuid, client_address text, eight_bit boolean,
        smtputf8 boolean, bounce boolean, sender_mailbox uuid, sender_limit bigint, sender_limit_version int,
        listener text, tls text, helo text, by text, account_address text, granted_at timestamptz, header_id text,
        bounce_of uuid, folder text, flags text[], dmarc_failed boolean, verdicts text
    )
    """,
    """
    create or replace view queue.mail_trace as
    select id as queue_id, null::smallint as n, at, 'accepted' as event, mail_from as sender, null as recipient,
           account, account_address, by, client_address, listener, tls, helo, size, header_id as message_id, bounce_of,
           null as status, null as reply, null as remote_host, null::text as connection, verdicts
      from queue.submission where at is not null
    union all
    select message_id, n, at, outcome, null, null, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null from queue.attempt
    union all
    select message_id, n, at, 'delay_noted', null, null, null, null, null, null, null, null, null, null, null, null,
           null, 'the sender was notified by ' || replace(notice::text, '-', ''), null, null, null
      from queue.attempt where notice is not null
    union all
    select message_id, n, finished_at, state, mail_from, address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null from queue.finished
    """,
    "alter table queue.refusal add column verdicts text",
    f"comment on column queue.refusal.verdicts is '{_VERDICTS}'",
    """
    create type queue.new_refusal_2 as (
        id uuid, at timestamptz, client_address text, listener text, tls text, helo text, by text, account uuid, account_address text,
        mail_from text, recipients text[], recipient_count int, size bigint, command text, rule text, reply text, times int,
        verdicts text
    )
    """,
    """
    create or replace view queue.mail_refusals as
    select id, at, client_address, listener, tls, helo, by, account, account_address, mail_from as sender, recipients, size, command,
           rule, reply, times, verdicts
      from queue.refusal
    """,
)


def upgrade() -> None:
    """Add columns with constant defaults or none, so that no row is rewritten, the types with them, and the views' last columns."""
    for statement in STATEMENTS:
        op.execute(statement)
