"""The text index (decision 0078)."""

from alembic import op

revision = "0012"
down_revision = "0011"
min_code = 2

STATEMENTS = (
    """
create table if not exists mailstore.text_signature (
    mailbox_id uuid not null,
    folder_id int not null,
    uid bigint not null,
    signature bytea,
    constraint text_signature_pkey primary key (mailbox_id, folder_id, uid)
) with (toast_tuple_target = 8160)
""",
    # random bits: compression would be tried in vain
    "alter table mailstore.text_signature alter column signature set storage external",
)


def upgrade() -> None:
    """Add a table: empty until the setting TEXT_INDEX is on."""
    for statement in STATEMENTS:
        op.execute(statement)
