"""Domains that move in from an old host (docs/decisions/0126)."""

from alembic import op

revision = "0019"
down_revision = "0018"
#: Code 0018 takes such a domain for one that is here: start moves when the rollout is complete.
min_code = 2

STATEMENTS = (
    """
    create table auth.moves (
        domain text primary key references auth.domains (name) on update cascade on delete cascade,
        phase text not null,
        imap_host text,
        imap_port integer,
        pop3_host text,
        pop3_port integer,
        networks text[] not null,
        started_at timestamptz not null,
        changed_at timestamptz not null,
        constraint moves_phase check (phase in ('old', 'new')),
        constraint moves_hosts check (imap_host is not null or pop3_host is not null),
        constraint moves_networks check (cardinality(networks) <= 100)
    )
    """,
    """
    create table auth.moving_mailboxes (
        mailbox_id uuid primary key references auth.mailboxes (id) on delete cascade
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
