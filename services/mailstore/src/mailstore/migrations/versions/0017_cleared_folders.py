"""An index of the folders that may be cleared of old messages (docs/decisions/0121)."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0017"
down_revision = "0016"
min_code = 2

STATEMENTS = (
    # an invalid index that an interrupted migration left
    "drop index concurrently if exists mailstore.folder_cleared",
    r"""
create index concurrently folder_cleared on mailstore.folder (mailbox_id, folder_id) where special_use in ('\Junk', '\Trash')
""",
)


def upgrade() -> None:
    """Create the index concurrently, outside a transaction; it waits for running transactions but does not block them."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
