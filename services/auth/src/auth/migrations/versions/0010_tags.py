"""Domains whose addresses may have a tag (docs/decisions/0107)."""

from alembic import op

revision = "0010"
down_revision = "0009"
#: Code 0009 refuses addresses with a tag, or gives them to the catch-all.
min_code = 2


def upgrade() -> None:
    op.execute("alter table auth.domains add column tags boolean not null default false")
