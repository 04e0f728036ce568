"""Verifiers of passwords for SCRAM-SHA-256, and the secret from which their salts are made (docs/decisions/0061)."""

import os

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
#: Code 0005 does not know the tables; a verifier whose password it changed is of an older credential version.
min_code = 2


def upgrade() -> None:
    op.execute("""
        create table auth.scram_verifiers (
            mailbox_id uuid primary key references auth.mailboxes (id) on delete cascade,
            credential_version integer not null,
            salt bytea not null,
            iterations integer not null,
            stored_key bytea not null,
            server_key bytea not null,
            made_at timestamptz not null
        )
    """)
    op.execute("create table auth.secrets (name text primary key, value bytea not null)")
    secret = sa.text("insert into auth.secrets (name, value) values ('scram', :value)").bindparams(value=os.urandom(32))
    op.execute(secret)
