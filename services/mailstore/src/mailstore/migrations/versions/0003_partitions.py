"""Partitions through functions, so that the service's own role needs no right to make or drop tables."""

from alembic import op

revision = "0003"
down_revision = "0002"
#: Code 0002 makes and drops them itself, as the one user for all.
min_code = 2

STATEMENTS = (
    """
    create function mailstore.make_filed_partition(day date, low uuid, high uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        execute format('create table if not exists mailstore.%I partition of mailstore.filed for values from (%L) to (%L)',
                       'filed_' || to_char(day, 'YYYYMMDD'), low, high);
    end $$
    """,
    """
    create function mailstore.drop_filed_partition(day date) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        execute format('drop table if exists mailstore.%I', 'filed_' || to_char(day, 'YYYYMMDD'));
    end $$
    """,
)


def upgrade() -> None:
    """Make them. They run with the rights of the schema's owner and touch partitions by day only."""
    for statement in STATEMENTS:
        op.execute(statement)
