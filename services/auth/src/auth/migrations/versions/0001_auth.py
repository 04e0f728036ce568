"""The first schema of auth."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = """
create table auth.domains (
    id uuid primary key,
    name text not null unique,
    state text not null default 'open' constraint domains_state check (state in ('open', 'closing')),
    catchall text not null default 'bounce'
        constraint domains_catchall check (catchall in ('bounce', 'mailbox', 'forward')),
    catchall_mailbox uuid,
    catchall_targets text[],
    created_at timestamptz not null,
    constraint domains_catchall_targets check ((catchall = 'forward') = (catchall_targets is not null)),
    constraint domains_catchall_mailbox check (catchall = 'mailbox' or catchall_mailbox is null)
);
create table auth.mailboxes (
    id uuid primary key,
    address text not null unique,
    domain text not null references auth.domains (name),
    state text not null default 'enabled'
        constraint mailboxes_state check (state in ('enabled', 'disabled', 'purging')),
    password_hash text,
    credential_version integer not null default 1,
    quota_limit bigint not null constraint mailboxes_quota check (quota_limit between 26214400 and 2147483648),
    limit_version integer not null default 1,
    last_pop3_login timestamptz,
    created_at timestamptz not null,
    constraint mailboxes_address check (address = lower(address) and address like '%@' || domain)
);
create index mailboxes_domain on auth.mailboxes (domain, address);
alter table auth.domains add constraint domains_catchall_mailbox_fkey
    foreign key (catchall_mailbox) references auth.mailboxes (id) on delete set null;
create table auth.forwards (
    id uuid primary key,
    address text not null unique,
    domain text not null references auth.domains (name) on delete cascade,
    targets text[] not null constraint forwards_targets check (cardinality(targets) between 1 and 100),
    keep_copy boolean not null,
    created_at timestamptz not null
);
create index forwards_domain on auth.forwards (domain, address);
create table auth.badmailfrom (
    id uuid primary key,
    entry text not null unique,
    created_at timestamptz not null
);
create table auth.grants (
    id uuid not null unique,
    address text not null,
    mailbox_id uuid not null references auth.mailboxes (id) on delete cascade,
    granted_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (address, mailbox_id)
);
create index grants_mailbox on auth.grants (mailbox_id);
create index grants_expires on auth.grants (expires_at);
create table auth.login_failures (
    kind text not null constraint login_failures_kind check (kind in ('account', 'address')),
    key text not null,
    failures integer not null,
    window_started timestamptz not null,
    primary key (kind, key)
);
create index login_failures_window on auth.login_failures (window_started);
create table auth.operations (
    id uuid primary key,
    made_at timestamptz not null
);
create index operations_made on auth.operations (made_at);
create table auth.answers (
    operation_id uuid primary key references auth.operations (id) on delete cascade,
    outcome text not null,
    retry_after integer not null,
    mailbox_id uuid,
    address text not null,
    credential_version integer not null,
    quota_limit bigint not null,
    limit_version integer not null
);
create table auth.relay_use (
    mailbox_id uuid not null,
    hour timestamptz not null,
    used bigint not null,
    primary key (mailbox_id, hour)
);
create index relay_use_hour on auth.relay_use (hour);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
