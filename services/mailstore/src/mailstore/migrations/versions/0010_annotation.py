"""Annotations of mailboxes and of the account (RFC 5464; decision 0067)."""

from alembic import op

revision = "0010"
down_revision = "0009"
min_code = 2

STATEMENTS = (
    """
create table if not exists mailstore.annotation (
    mailbox_id uuid not null,
    folder_id int not null,
    entry text not null,
    value bytea not null,
    version bigint not null,
    constraint annotation_pkey primary key (mailbox_id, folder_id, entry)
)
""",
    "alter table mailstore.mailbox add column if not exists metadata_version bigint not null default 0",
)


def upgrade() -> None:
    """Add a table and a column with a constant default: no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
