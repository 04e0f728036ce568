"""Types of the rows that a hand-over inserts, so that one statement takes two arrays of named fields (docs/decisions/0064)."""

from alembic import op

revision = "0007"
down_revision = "0006"
#: Code 0006 does not use the types.
min_code = 2

STATEMENTS = (
    """
create type queue.new_message as (
    id uuid, mail_from text, body_id uuid, size bigint, account uuid, client_address text, eight_bit boolean,
    smtputf8 boolean, bounce boolean, sender_mailbox uuid, sender_limit bigint, sender_limit_version int
)
""",
    """
create type queue.new_recipient as (
    message_id uuid, n smallint, destination text, address text, original text, mailbox_id uuid, quota_limit bigint,
    limit_version int, looped boolean, flow uuid, via text
)
""",
)


def upgrade() -> None:
    """Create the types."""
    for statement in STATEMENTS:
        op.execute(statement)
