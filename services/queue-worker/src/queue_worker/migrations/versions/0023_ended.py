"""Finished recipients in narrow rows, and the view over them and those of before (docs/decisions/0080)."""

from alembic import op

revision = "0023"
down_revision = "0022"
#: Code 0022 goes on to write queue.finished, which the view has too.
min_code = 2

_KINDS = "('submission', 'finished', 'ended', 'attempt', 'refusal', 'operation')"

STATEMENTS = (
    # no column is null, so that a row has no bitmap; the widest types come first, so that nothing is padded
    """
    create table queue.ended (
        finished_at timestamptz not null,
        message_id uuid not null,
        n smallint not null,
        tries smallint not null,
        in_doubt smallint not null,
        tls smallint not null,
        local boolean not null,
        state text not null constraint ended_state check (state in ('d', 'f', 'e', 'r')),
        address text not null,
        original text not null,
        status text not null,
        reply text not null,
        remote_host text not null,
        remote_address text not null,
        acted text not null,
        via text not null,
        sender text not null,
        constraint ended_pkey primary key (message_id, n)
    ) partition by range (message_id)
    """,
    "create table queue.ended_rest partition of queue.ended default",
    "comment on table queue.ended is 'Where recipients that left went; queue.history shows it'",
    "comment on table queue.recipient is 'Recipients under way; a row leaves for queue.ended'",
    "comment on column queue.ended.tls is 'Row of queue.tls; 0: none'",
    "comment on column queue.ended.state is 'd: delivered, f: failed, e: expired, r: removed'",
    "comment on column queue.ended.original is 'Empty: as address'",
    "comment on column queue.ended.status is 'Empty for 2.0.0 of a delivery'",
    "comment on column queue.ended.reply is 'Empty for that of a filing'",
    "comment on column queue.ended.acted is 'Operations of operators that changed it, an array; empty: none'",
    "comment on column queue.ended.via is 'The address of ours whose forward or catch-all led to it'",
    "comment on column queue.ended.sender is 'The envelope sender of this copy; empty for the message''s'",
    "create table queue.tls (id smallint generated always as identity primary key, facts text not null constraint tls_facts unique)",
    "comment on table queue.tls is 'TLS versions and ciphers of outbound connections, verified or not'",
    """
    create function queue.tls_number(said text) returns smallint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    declare number smallint;
    begin
        if said = '' then return 0; end if;
        select id into number from queue.tls where facts = said;
        if number is null then
            insert into queue.tls (facts) values (said) on conflict (facts) do nothing returning id into number;
        end if;
        if number is null then
            select id into number from queue.tls where facts = said;
        end if;
        return coalesce(number, 0);
    end $$
    """,
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
    create view queue.history as
    select message_id, n, mail_from, address, original, mailbox_id is not null as local, state, status, reply, remote_host, tries,
           in_doubt, first_seen, finished_at, connection, acted, via, sender
      from queue.finished
    union all
    select message_id, n, null, address, case original when '' then address else original end, local,
           case state when 'd' then 'delivered' when 'f' then 'failed' when 'e' then 'expired' else 'removed' end,
           case when status = '' and state = 'd' then '2.0.0' else status end,
           case when reply = '' and state = 'd' and local then 'filed' else reply end, nullif(remote_host, ''), tries, in_doubt,
           null, finished_at,
           nullif(concat_ws(' ', nullif(remote_address, ''), (select facts from queue.tls t where t.id = e.tls)), ''),
           nullif(acted, '')::uuid[], nullif(via, ''), nullif(sender, '')
      from queue.ended e
    """,
    "comment on view queue.history is 'Where recipients that left went. mail_from and first_seen, if null: those of queue.submission'",
    """
    create or replace view queue.mail_attempts as
    select message_id as queue_id, n, at, outcome, status, reply, remote_host from queue.attempt
    union all
    select message_id, n, finished_at, state, status, reply, remote_host from queue.history
    """,
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
    select h.message_id, h.n, h.finished_at, h.state, coalesce(h.sender, h.mail_from, s.mail_from), h.address, null, null, null, null,
           null, null, null, null, null, null, h.status, h.reply, h.remote_host, h.connection, null, null, null, h.via
      from queue.history h left join queue.submission s on s.id = h.message_id
    union all
    select r.message_id, r.n, o.at, o.action, null, r.address, null, null, null, null, null, null, null, null, null, null,
           null, null, null, null, null, o.actor, o.reason, null
      from (select message_id, n, address, acted from queue.recipient where acted is not null
            union all
            select message_id, n, address, acted from queue.history where acted is not null) r
           cross join lateral unnest(r.acted) as a(id) join queue.operation o on o.id = a.id
    """,
)


def upgrade() -> None:
    """Create the table, the dictionary and the view; the partition functions and the operators' views know them."""
    for statement in STATEMENTS:
        op.execute(statement)
