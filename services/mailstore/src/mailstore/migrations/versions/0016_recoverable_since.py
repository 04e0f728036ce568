"""An index of the mailboxes with recoverable messages, by the time of the oldest (docs/decisions/0120)."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0016"
down_revision = "0015"
min_code = 2

STATEMENTS = (
    # an invalid index that an interrupted migration left
    "drop index concurrently if exists mailstore.mailbox_recoverable",
    """
create index concurrently mailbox_recoverable on mailstore.mailbox (recoverable_since) where recoverable_since is not null
""",
)


def upgrade() -> None:
    """Create the index concurrently, outside a transaction; it waits for running transactions but does not block them."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
