"""Keys of the senders of forwarded mail (docs/decisions/0093)."""

import os

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
#: Code 0008 forwards with the sender that mail came with.
min_code = 2


def upgrade() -> None:
    op.execute("create table auth.srs_keys (made_at timestamptz primary key, value bytea not null)")
    first = sa.text("insert into auth.srs_keys (made_at, value) values (now(), :value)")
    op.execute(first.bindparams(value=os.urandom(32)))
