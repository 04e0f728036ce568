"""Which code may run on this schema (docs/decisions/0021)."""

from alembic import op

revision = "0002"
down_revision = "0001"
#: Code 0001 requires exactly its own revision.
min_code = 2

STATEMENTS = """
create table bodies.schema_min_code (
    only_row boolean primary key default true constraint schema_min_code_one_row check (only_row),
    version integer not null,
    min_code integer not null
);
insert into bodies.schema_min_code (version, min_code) values (2, 2);
"""


def upgrade() -> None:
    """Create the table."""
    for statement in STATEMENTS.strip().rstrip(";").split(";\n"):
        op.execute(statement)
