"""UIDLs of other systems, and what was imported (docs/decisions/0105)."""

from alembic import op

revision = "0014"
down_revision = "0013"
#: Code 0013 answers UIDL of imported messages as of all others, and imports nothing.
min_code = 2

STATEMENTS = (
    "alter table mailstore.message add column if not exists uidl text",
    """
create table if not exists mailstore.imported (
    mailbox_id uuid not null,
    key uuid not null,
    constraint imported_pkey primary key (mailbox_id, key)
)
""",
)


def upgrade() -> None:
    """Add a nullable column, for which no row is rewritten, and a table."""
    for statement in STATEMENTS:
        op.execute(statement)
