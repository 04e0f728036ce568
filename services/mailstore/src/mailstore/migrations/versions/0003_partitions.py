"""Functions for partitions, so that the service's role needs no privilege to create or drop tables."""

from alembic import op

revision = "0003"
down_revision = "0002"
#: Code 0002 creates and drops partitions itself, as the only role.
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
    """Create the functions, which run with the privileges of the schema's owner and affect only partitions by day."""
    for statement in STATEMENTS:
        op.execute(statement)
