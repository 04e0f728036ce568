"""Type of the rows of new messages, so that one statement takes an array of named fields (docs/decisions/0064)."""

from alembic import op

revision = "0008"
down_revision = "0007"
#: Code 0007 does not use the type.
min_code = 2

STATEMENTS = (
    "drop type if exists mailstore.new_message",
    """
create type mailstore.new_message as (
    mailbox_id uuid, folder_id int, uid bigint, body_id uuid, prefix bytea, size bigint, flags bigint, modseq bigint,
    internaldate timestamptz, envelope bytea, body bytea, bodystructure bytea, parts bytea, sent_day date, subject text,
    from_ text, to_ text, cc text, bcc text, open_end boolean, saved_at timestamptz, sent_at timestamptz, message_id text,
    references_ text, base_subject text, derived boolean, from_mailbox text, to_mailbox text, cc_mailbox text,
    from_display text, to_display text
)
""",
)


def upgrade() -> None:
    """Create the type, which no code before this one uses."""
    for statement in STATEMENTS:
        op.execute(statement)
