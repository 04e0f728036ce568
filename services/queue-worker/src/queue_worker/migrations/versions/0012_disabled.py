"""Pauses of disabled mailboxes, apart from those that operators make, so that each ends by itself (docs/decisions/0072)."""

from alembic import op

revision = "0012"
down_revision = "0011"
#: Code 0011 does not obey these pauses: it sends what a disabled mailbox queued, as before.
min_code = 2

STATEMENTS = (
    "alter table queue.pause drop constraint pause_kind",
    "alter table queue.pause add constraint pause_kind check (kind in ('all', 'destination', 'account', 'disabled'))",
    "comment on table queue.pause is 'Destinations and accounts whose mail is not tried; disabled: of a disabled mailbox; all: no mail is'",
)


def upgrade() -> None:
    """Admit the new kind."""
    for statement in STATEMENTS:
        op.execute(statement)
