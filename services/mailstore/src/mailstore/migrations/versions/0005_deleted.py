"""An index of the messages with \\Deleted: EXPUNGE looks at them and not at the folder."""

from alembic import op

from mailkit.migrate import LOCK_TIMEOUT

revision = "0005"
down_revision = "0004"
min_code = 2
#: The question has the same answer without it.
needed = False

STATEMENTS = (
    # one that an interrupted step left behind, and that is not valid
    "drop index concurrently if exists mailstore.message_deleted",
    "create index concurrently message_deleted on mailstore.message (mailbox_id, folder_id, uid) where flags & 4 <> 0",
)


def upgrade() -> None:
    """Make it beside the traffic: outside a transaction, and waiting for those under way, which it does not hold up."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
