"""What operators did to the queue, in day partitions, and with each recipient which of it concerned it (docs/decisions/0084)."""

from alembic import op

revision = "0020"
down_revision = "0019"
#: Code 0019 notes no operations, and drops from the history which ones concerned a recipient.
min_code = 2

_KINDS = "('submission', 'finished', 'attempt', 'refusal', 'operation')"

STATEMENTS = (
    """
    create table queue.operation (
        id uuid not null,
        at timestamptz not null,
        action text not null,
        actor text not null,
        reason text not null,
        filter text,
        kind text,
        value text,
        recipients int,
        constraint operation_pkey primary key (id),
        constraint operation_kind check ((kind is null) = (value is null))
    ) partition by range (id)
    """,
    "comment on table queue.operation is 'What operators did to the queue: a row for each batch, pause, route and their ends'",
    "comment on column queue.operation.kind is 'Of a pause or a route: what it is for, with value'",
    "comment on column queue.operation.filter is 'Of an action on recipients: which, as JSON; null: named by ids, or all'",
    "create index operation_standing on queue.operation (kind, value, id) where kind is not null",
    "create table queue.operation_rest partition of queue.operation default",
    "alter table queue.recipient add column acted uuid[]",
    "alter table queue.finished add column acted uuid[]",
    "comment on column queue.recipient.acted is 'Operations of operators that changed it, the last twenty'",
    "comment on column queue.finished.acted is 'Operations of operators that changed it, the last twenty'",
    f"""
    create or replace function queue.make_partition(parent text, day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare made text := parent || '_' || to_char(day, 'YYYYMMDD');
    begin
        if parent not in {_KINDS} then
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
    f"""
    create or replace function queue.drop_partition(parent text, day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if parent not in {_KINDS} then
            raise exception 'queue.% has no partitions', parent;
        end if;
        execute format('drop table if exists queue.%I', parent || '_' || to_char(day, 'YYYYMMDD'));
    end $$
    """,
    """
    create or replace view queue.mail_trace as
    select id as queue_id, null::smallint as n, at, 'accepted' as event, mail_from as sender, null as recipient,
           account, account_address, by, client_address, listener, tls, helo, size, header_id as message_id, bounce_of,
           null as status, null as reply, null as remote_host, null::text as connection, verdicts,
           null::text as actor, null::text as reason
      from queue.submission where at is not null
    union all
    select message_id, n, at, outcome, null, null, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null, null, null from queue.attempt
    union all
    select message_id, n, at, 'delay_noted', null, null, null, null, null, null, null, null, null, null, null, null,
           null, 'the sender was notified by ' || replace(notice::text, '-', ''), null, null, null, null, null
      from queue.attempt where notice is not null
    union all
    select message_id, n, finished_at, state, mail_from, address, null, null, null, null, null, null, null, null, null, null,
           status, reply, remote_host, connection, null, null, null from queue.finished
    union all
    select r.message_id, r.n, o.at, o.action, null, r.address, null, null, null, null, null, null, null, null, null, null,
           null, null, null, null, null, o.actor, o.reason
      from (select message_id, n, address, acted from queue.recipient where acted is not null
            union all
            select message_id, n, address, acted from queue.finished where acted is not null) r
           cross join lateral unnest(r.acted) as a(id) join queue.operation o on o.id = a.id
    """,
    """
    create view queue.mail_operations as
    select id, at, action, actor, reason, filter, kind, value, recipients from queue.operation
    """,
    "comment on view queue.mail_operations is 'What operators did to the queue. Columns are only ever added'",
)


def upgrade() -> None:
    """Create the table and its view; columns without a default, so that no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
