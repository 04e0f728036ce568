"""Domains whose addresses are those of another one (docs/decisions/0108)."""

from alembic import op

revision = "0011"
down_revision = "0010"
#: Code 0010 refuses mail to the addresses of such a domain, and logins by them.
min_code = 2

STATEMENTS = (
    "alter table auth.domains add column alias_of text",
    "alter table auth.domains add constraint domains_alias_of_fkey foreign key (alias_of) references auth.domains (name)",
    "create index domains_alias_of on auth.domains (alias_of) where alias_of is not null",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
