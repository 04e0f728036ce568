"""Progress of work that is done once on all rows of a table."""

from alembic import op

revision = "0006"
down_revision = "0005"
min_code = 2

STATEMENT = """
create table mailstore.backfill (
    name text primary key,
    mailbox_id uuid not null default '00000000-0000-0000-0000-000000000000',
    folder_id int not null default 0,
    uid bigint not null default 0,
    done boolean not null default false
)
"""


def upgrade() -> None:
    """Create a table that older code does not use."""
    op.execute(STATEMENT)
