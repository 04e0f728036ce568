"""Passwords of a mailbox's devices and programs (docs/decisions/0123)."""

from alembic import op

revision = "0013"
down_revision = "0012"
#: Code 0012 refuses app passwords, and takes the main password of a mailbox that has it switched off.
min_code = 2

STATEMENTS = (
    """
    create table auth.app_passwords (
        number integer generated always as identity primary key,
        id uuid not null unique,
        mailbox_id uuid not null references auth.mailboxes (id) on delete cascade,
        name text not null,
        selector text not null,
        digest bytea not null,
        protocols text[] not null,
        networks text[] not null,
        expires_at timestamptz,
        created_at timestamptz not null,
        last_used_at timestamptz,
        last_used_from text,
        constraint app_passwords_selector unique (mailbox_id, selector),
        constraint app_passwords_name unique (mailbox_id, name)
    )
    """,
    "alter table auth.mailboxes add column main_password boolean not null default true",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
