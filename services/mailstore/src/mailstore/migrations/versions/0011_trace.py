"""What happened to messages: filing, first fetch, moves to Junk or Trash, deletion (docs/decisions/0081)."""

from alembic import op

revision = "0011"
down_revision = "0010"
#: Code 0010 files without a time, and drops partitions of hand-overs earlier: such messages are not in the trace.
min_code = 2

STATEMENTS = (
    "alter table mailstore.filed add column if not exists at timestamptz, add column if not exists body_id uuid",
    """
    create table if not exists mailstore.fetched (
        body_id uuid not null,
        mailbox_id uuid not null,
        at timestamptz not null,
        protocol text not null,
        constraint fetched_pkey primary key (body_id, mailbox_id)
    ) partition by range (body_id)
    """,
    "create table if not exists mailstore.fetched_rest partition of mailstore.fetched default",
    """
    create table if not exists mailstore.event (
        id uuid not null,
        mailbox_id uuid not null,
        at timestamptz not null,
        kind text not null,
        folder text not null,
        protocol text not null,
        messages int not null,
        bodies uuid[] not null
    ) partition by range (id)
    """,
    "create index if not exists event_mailbox on mailstore.event (mailbox_id, id)",
    "create table if not exists mailstore.event_rest partition of mailstore.event default",
    """
    create or replace function mailstore.make_partition(parent text, day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if parent not in ('filed', 'fetched', 'event') then
            raise exception 'mailstore.% has no partitions', parent;
        end if;
        execute format('create table if not exists mailstore.%I partition of mailstore.%I for values from (%L) to (%L)',
                       parent || '_' || to_char(day, 'YYYYMMDD'), parent, low, high);
    end $$
    """,
    """
    create or replace function mailstore.drop_partition(parent text, day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if parent not in ('filed', 'fetched', 'event') then
            raise exception 'mailstore.% has no partitions', parent;
        end if;
        execute format('drop table if exists mailstore.%I', parent || '_' || to_char(day, 'YYYYMMDD'));
    end $$
    """,
)


def upgrade() -> None:
    """Add columns without a default and two empty tables: no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
