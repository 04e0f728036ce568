"""Networks with successful logins of an account, and failures counted for each network (docs/decisions/0039)."""

from alembic import op

revision = "0005"
down_revision = "0004"
#: Code 0004 counts every failure by account and ignores the rest.
min_code = 2


def upgrade() -> None:
    """Create the table; extend the check of `login_failures` (a small table: ten minutes of failures)."""
    op.execute("""
        create table auth.login_networks (
            mailbox_id uuid not null references auth.mailboxes (id) on delete cascade,
            network text not null,
            seen_at timestamptz not null,
            primary key (mailbox_id, network)
        )
    """)
    op.execute("create index login_networks_seen on auth.login_networks (seen_at)")
    op.execute("alter table auth.login_failures drop constraint login_failures_kind")
    op.execute(
        "alter table auth.login_failures add constraint login_failures_kind "
        "check (kind in ('account', 'address', 'network'))"
    )
