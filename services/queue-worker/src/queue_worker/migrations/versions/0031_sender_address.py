"""Where a bounce goes whose sender is an address of ours that leads elsewhere (docs/decisions/0113)."""

from alembic import op

revision = "0031"
down_revision = "0030"
#: Code 0030 sends such bounces by MX, as before.
min_code = 2


def upgrade() -> None:
    """Add a column without a default, so that no row is rewritten."""
    op.execute("alter table queue.message add column sender_address text")
    op.execute(
        "comment on column queue.message.sender_address is 'Where a bounce goes when the sender is an address of ours that leads elsewhere'"
    )
