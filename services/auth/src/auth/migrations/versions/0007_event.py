"""Events of the trace: logins, and changes of accounts, forwards and grants, in day partitions (docs/decisions/0081)."""

from alembic import op

revision = "0007"
down_revision = "0006"
#: Code 0006 records no events.
min_code = 2

STATEMENTS = (
    """
    create table auth.event (
        id uuid not null,
        at timestamptz not null,
        kind text not null,
        address text not null,
        mailbox_id uuid,
        client text,
        protocol text,
        detail text not null,
        constraint event_pkey primary key (id)
    ) partition by range (id)
    """,
    "create index event_address on auth.event (address, id)",
    "create table auth.event_rest partition of auth.event default",
    """
    create function auth.make_event_partition(day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        execute format('create table if not exists auth.%I partition of auth.event for values from (%L) to (%L)',
                       'event_' || to_char(day, 'YYYYMMDD'), low, high);
    end $$
    """,
    """
    create function auth.drop_event_partition(day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        execute format('drop table if exists auth.%I', 'event_' || to_char(day, 'YYYYMMDD'));
    end $$
    """,
)


def upgrade() -> None:
    """Create the table, and the functions, which run with the rights of the schema's owner and touch partitions by day only."""
    for statement in STATEMENTS:
        op.execute(statement)
