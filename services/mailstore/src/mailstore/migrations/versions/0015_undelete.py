"""Expunged messages that can be undeleted for some days (docs/decisions/0120)."""

from alembic import op

revision = "0015"
down_revision = "0014"
#: Code 0014 expunges for good, and its answers to the collector leave out the bodies of recoverable messages.
min_code = 2

STATEMENTS = (
    """
create table if not exists mailstore.recoverable (
    mailbox_id uuid not null,
    number bigint not null,
    at timestamptz not null,
    folder_id integer not null,
    folder text not null,
    body_id uuid not null,
    prefix bytea not null,
    size bigint not null,
    flags bigint not null,
    internaldate timestamptz not null,
    open_end boolean not null,
    constraint recoverable_pkey primary key (mailbox_id, number)
)
""",
    "create index if not exists recoverable_body on mailstore.recoverable (body_id)",
    """
alter table mailstore.mailbox
  add column if not exists recoverable_last bigint not null default 0,
  add column if not exists recoverable_messages bigint not null default 0,
  add column if not exists recoverable_octets bigint not null default 0,
  add column if not exists recoverable_since timestamptz
""",
)


def upgrade() -> None:
    """Add a table, and columns with constant defaults, for which no row is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)
