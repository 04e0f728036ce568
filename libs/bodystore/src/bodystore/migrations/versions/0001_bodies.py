"""The first schema of bodystore."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = """
create table bodies.body (
    id uuid primary key,
    size bigint not null,
    created_at timestamptz not null,
    marked_at timestamptz
);
create table bodies.chunk (
    body_id uuid not null,
    n integer not null,
    data bytea not null,
    primary key (body_id, n)
);
alter table bodies.chunk alter column data set storage external;
create table bodies.candidate (
    id uuid primary key,
    body_id uuid not null,
    due timestamptz not null
);
create index candidate_due on bodies.candidate (due);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
