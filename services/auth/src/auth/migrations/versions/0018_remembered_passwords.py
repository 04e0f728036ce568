"""Passwords that replicas recognise without a hash (docs/decisions/0125)."""

from alembic import op

revision = "0018"
down_revision = "0017"
#: Code 0017 remembers passwords in its process.
min_code = 2

STATEMENTS = (
    """
    create unlogged table auth.remembered_passwords (
        mailbox_id uuid primary key references auth.mailboxes (id) on delete cascade,
        tag bytea not null,
        made_at timestamptz not null
    )
    """,
    "create index remembered_passwords_made on auth.remembered_passwords (made_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
