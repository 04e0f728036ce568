"""Functions for partitions, so that the service's own role needs no right to create or drop tables."""

from alembic import op

revision = "0003"
down_revision = "0002"
#: Code 0002 makes and drops them itself, as the one user for all.
min_code = 2

STATEMENTS = (
    """
    create function queue.make_partition(parent text, day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if parent not in ('submission', 'finished', 'attempt') then
            raise exception 'queue.% has no partitions', parent;
        end if;
        execute format('create table if not exists queue.%I partition of queue.%I for values from (%L) to (%L)',
                       parent || '_' || to_char(day, 'YYYYMMDD'), parent, low, high);
    end $$
    """,
    """
    create function queue.drop_partition(parent text, day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if parent not in ('submission', 'finished', 'attempt') then
            raise exception 'queue.% has no partitions', parent;
        end if;
        execute format('drop table if exists queue.%I', parent || '_' || to_char(day, 'YYYYMMDD'));
    end $$
    """,
)


def upgrade() -> None:
    """Create the functions. They run with the rights of the schema's owner and touch partitions by day only."""
    for statement in STATEMENTS:
        op.execute(statement)
