"""The bounds of quotas are settings and plans (docs/decisions/0114)."""

from alembic import op

revision = "0014"
down_revision = "0013"
#: Code 0013 makes and sets no quota outside the bounds that were.
min_code = 2

STATEMENTS = (
    # every row meets the former constraint; not valid spares reading them under the lock
    "alter table auth.mailboxes add constraint mailboxes_quota_positive check (quota_limit > 0) not valid",
    "alter table auth.mailboxes drop constraint mailboxes_quota",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
