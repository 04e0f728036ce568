"""A counter of the \\Recent messages of a folder (decision 0079)."""

from alembic import op

revision = "0013"
down_revision = "0012"
#: Code 0012 does not keep the counter: while it runs, STATUS (RECENT) of a folder may be wrong until its next SELECT.
min_code = 2

STATEMENTS = (
    "alter table mailstore.folder add column if not exists recent int",
    "alter table mailstore.folder alter column recent set default 0",
)


def upgrade() -> None:
    """Add a nullable column: folders that exist have null, and are counted, until a session claims their \\Recent messages."""
    for statement in STATEMENTS:
        op.execute(statement)
