"""What smtp-gateway refused, in day partitions (docs/decisions/0069)."""

from alembic import op

revision = "0014"
down_revision = "0013"
#: Code 0013 makes no partitions of it: the default one takes the rows.
min_code = 2

_COLUMNS = (
    "id uuid, at timestamptz, client_address text, listener text, tls text, helo text, by text, account uuid, account_address text, "
    "mail_from text, recipients text[], recipient_count int, size bigint, command text, rule text, reply text, times int"
)
_KINDS = "('submission', 'finished', 'attempt', 'refusal')"

STATEMENTS = (
    """
    create table queue.refusal (
        id uuid not null,
        at timestamptz not null,
        client_address text,
        listener text not null,
        tls text,
        helo text,
        by text not null,
        account uuid,
        account_address text,
        mail_from text,
        recipients text[] not null,
        recipient_count int not null,
        size bigint not null,
        command text not null,
        rule text not null,
        reply text not null,
        times int not null,
        constraint refusal_pkey primary key (id)
    ) partition by range (id)
    """,
    "comment on table queue.refusal is 'What smtp-gateway refused, by the time in the id'",
    "comment on column queue.refusal.rule is 'Row of the contract, or the reason that postrider_gateway_rejected_total counts'",
    "comment on column queue.refusal.times is 'Over 1: that many refusals by the rule, which were not recorded singly'",
    "create index refusal_account on queue.refusal (account, id) where account is not null",
    "create table queue.refusal_rest partition of queue.refusal default",
    f"create type queue.new_refusal as ({_COLUMNS})",
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
    create view queue.mail_refusals as
    select id, at, client_address, listener, tls, helo, by, account, account_address, mail_from as sender, recipients, size, command,
           rule, reply, times
      from queue.refusal
    """,
    "comment on view queue.mail_refusals is 'Refused transactions, as postrider trace shows them. Columns are only ever added'",
)


def upgrade() -> None:
    """Create the table, its type and its view; the partition functions know it."""
    for statement in STATEMENTS:
        op.execute(statement)
