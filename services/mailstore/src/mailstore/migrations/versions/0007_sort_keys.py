"""Columns for SORT, THREAD and SAVEDATE, and an index of the rows that upkeep has not filled in yet (decision 0059)."""

from alembic import op

from mailkit.postgres.migrate import LOCK_TIMEOUT

revision = "0007"
down_revision = "0006"
min_code = 2

#: Nullable columns without a default: no row is rewritten. Repeated if the index was interrupted.
COLUMNS = (
    """
    alter table mailstore.message
        add column if not exists sent_at timestamptz,
        add column if not exists saved_at timestamptz
    """,
    """
    alter table mailstore.rendered
        add column if not exists message_id text,
        add column if not exists references_ text,
        add column if not exists base_subject text,
        add column if not exists derived boolean,
        add column if not exists from_mailbox text,
        add column if not exists to_mailbox text,
        add column if not exists cc_mailbox text,
        add column if not exists from_display text,
        add column if not exists to_display text
    """,
)
INDEX = (
    # an invalid index that an interrupted migration left
    "drop index concurrently if exists mailstore.rendered_unfilled",
    "create index concurrently rendered_unfilled on mailstore.rendered (mailbox_id, folder_id, uid) where message_id is null",
)


def upgrade() -> None:
    """Add the columns, then create the index outside a transaction: it waits for running ones but does not block them."""
    for statement in COLUMNS:
        op.execute(statement)
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in INDEX:
            op.execute(statement)
        op.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
