"""Keys for DKIM, and the rule on sender addresses of a domain (docs/decisions/0088, 0089)."""

from alembic import op

revision = "0008"
down_revision = "0007"
#: Code 0007 signs nothing and applies no rule; the domains that it adds are like existing ones.
min_code = 2


def upgrade() -> None:
    op.execute("""
        alter table auth.domains
            add column signing boolean not null default false,
            add column identity text,
            add column identity_signing text not null default 'log',
            add column identity_by text not null default 'domain',
            add constraint domains_identity check (identity in ('off', 'log', 'enforce')),
            add constraint domains_identity_signing check (identity_signing in ('log', 'enforce')),
            add constraint domains_identity_by check (identity_by in ('domain', 'mailbox'))
    """)
    op.execute("""
        alter table auth.domains add column rule text generated always as (
            case when not signing then coalesce(identity, 'off')
                 when identity = 'off' then 'log'
                 else coalesce(identity, identity_signing) end) stored
    """)
    op.execute("""
        create table auth.dkim_keys (
            id uuid primary key,
            domain text not null references auth.domains (name) on delete cascade,
            selector text not null,
            algorithm text not null,
            private_key bytea not null,
            record text not null,
            state text not null default 'new',
            created_at timestamptz not null,
            since timestamptz not null,
            check_at timestamptz,
            constraint dkim_keys_selector unique (domain, selector),
            constraint dkim_keys_algorithm check (algorithm in ('rsa-sha256', 'ed25519-sha256')),
            constraint dkim_keys_state check (state in ('new', 'active', 'old')),
            constraint dkim_keys_check_at check ((state = 'new') = (check_at is not null))
        )
    """)
    op.execute("create unique index dkim_keys_one on auth.dkim_keys (domain, algorithm, state) where state <> 'old'")
    op.execute("create index dkim_keys_since on auth.dkim_keys (state, since)")
    op.execute("create index dkim_keys_check on auth.dkim_keys (check_at)")
