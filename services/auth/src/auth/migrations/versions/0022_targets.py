"""Indexes by which the forwards and catch-alls to an address are found, for its rename (docs/decisions/0122)."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0022"
down_revision = "0021"
min_code = 2
#: A rename is the same without the indexes.
needed = False

STATEMENTS = (
    # invalid indexes that an interrupted migration left
    "drop index concurrently if exists auth.forwards_targets_key",
    "create index concurrently forwards_targets_key on auth.forwards using gin (targets)",
    "drop index concurrently if exists auth.domains_catchall_targets_key",
    "create index concurrently domains_catchall_targets_key on auth.domains using gin (catchall_targets)",
)


def upgrade() -> None:
    """Create the indexes concurrently, outside a transaction; it waits for running transactions but does not block them."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in STATEMENTS:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
