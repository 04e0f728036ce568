"""The tables whose changes by callers are in the audit (docs/decisions/0119)."""

from alembic import op

revision = "0021"
down_revision = "0020"
#: Code 0020 is noted like any other.
min_code = 2

AUDITED = (
    *("domains", "mailboxes", "forwards", "badmailfrom", "grants", "dkim_keys"),
    *("customers", "plans", "tokens", "token_secrets", "app_passwords", "moves"),
)


def upgrade() -> None:
    """Make each trigger in a transaction of its own, so that no lock is held while another is waited for."""
    with op.get_context().autocommit_block():
        for table in AUDITED:
            op.execute(f"select auth.audited('auth.{table}')")
