"""Index of the messages with \\Deleted, so that EXPUNGE reads only these and not the whole folder."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0005"
down_revision = "0004"
min_code = 2
#: Statements return the same without the index.
needed = False

STATEMENTS = (
    # an invalid index that an interrupted migration left
    "drop index concurrently if exists mailstore.message_deleted",
    "create index concurrently message_deleted on mailstore.message (mailbox_id, folder_id, uid) where flags & 4 <> 0",
)


def upgrade() -> None:
    """Create the index concurrently, outside a transaction; it waits for running transactions but does not block them."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
