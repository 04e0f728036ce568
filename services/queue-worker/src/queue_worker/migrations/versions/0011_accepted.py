"""Who sent a message and how it came, kept with its hand-over id; the view mail_trace (docs/decisions/0071)."""

from alembic import op

revision = "0011"
down_revision = "0010"
#: Code 0010 inserts hand-overs without it: such messages have no account in the trace.
min_code = 2

STATEMENTS = (
    """
    alter table queue.submission
        add column at timestamptz, add column mail_from text, add column size bigint, add column account uuid,
        add column client_address text, add column listener text, add column tls text, add column helo text,
        add column by text, add column account_address text, add column granted_at timestamptz,
        add column header_id text, add column bounce_of uuid
    """,
    "comment on column queue.submission.at is 'When it was accepted; null: by code before 0011'",
    "comment on column queue.submission.by is 'The right to relay: auth, grant or none'",
    "comment on column queue.submission.granted_at is 'When the login was that gave the grant'",
    "comment on column queue.submission.header_id is 'Message-ID of its header'",
    "comment on column queue.submission.bounce_of is 'The message whose non-delivery it reports'",
    """
    create type queue.new_message_2 as (
        id uuid, mail_from text, body_id uuid, size bigint, account uuid, client_address text, eight_bit boolean,
        smtputf8 boolean, bounce boolean, sender_mailbox uuid, sender_limit bigint, sender_limit_version int,
        listener text, tls text, helo text, by text, account_address text, granted_at timestamptz, header_id text,
        bounce_of uuid
    )
    """,
    # partitions that exist get no index: building it would stop hand-overs, and they are gone within days
    "create index submission_rest_account on queue.submission_rest (account, id) where account is not null",
    "create index submission_rest_header on queue.submission_rest (hashtext(header_id)) where header_id is not null",
    """
    create or replace function queue.make_partition(parent text, day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare made text := parent || '_' || to_char(day, 'YYYYMMDD');
    begin
        if parent not in ('submission', 'finished', 'attempt') then
            raise exception 'queue.% has no partitions', parent;
        end if;
        execute format('create table if not exists queue.%I partition of queue.%I for values from (%L) to (%L)',
                       made, parent, low, high);
        if parent = 'submission' then
            execute format('create index if not exists %I on queue.%I (account, id) where account is not null',
                           made || '_account', made);
            execute format('create index if not exists %I on queue.%I (hashtext(header_id)) where header_id is not null',
                           made || '_header', made);
        end if;
    end $$
    """,
    """
    create view queue.mail_trace as
    select id as queue_id, null::smallint as n, at, 'accepted' as event, mail_from as sender, null as recipient,
           account, account_address, by, client_address, listener, tls, helo, size, header_id as message_id, bounce_of,
           null as status, null as reply, null as remote_host
      from queue.submission where at is not null
    union all
    select message_id, n, at, outcome, null, null, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host from queue.attempt
    union all
    select message_id, n, finished_at, state, mail_from, address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host from queue.finished
    """,
    "comment on view queue.mail_trace is 'What happened to each message, as postrider trace shows it. Columns are only ever added'",
)


def upgrade() -> None:
    """Add the columns, the type and the view; new partitions get the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)
