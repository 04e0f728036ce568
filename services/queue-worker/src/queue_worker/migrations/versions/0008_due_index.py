"""Index of the remote recipients by due time: what is due is found whatever waits besides (docs/decisions/0065)."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0008"
down_revision = "0007"
#: Code 0007 looks by destination and flow.
min_code = 2

STATEMENTS = (
    # an invalid index that an interrupted migration left
    "drop index concurrently if exists queue.recipient_remote_due",
    # not "mailbox_id is null", the condition of recipient_remote_flow: no plan may claim a pair's recipients by this index
    "create index concurrently recipient_remote_due on queue.recipient (due) where destination <> ''",
)


def upgrade() -> None:
    """Create the index concurrently, outside a transaction; it waits for running transactions but does not block them."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
