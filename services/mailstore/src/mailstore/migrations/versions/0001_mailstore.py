"""The first schema of mailstore."""

from alembic import op

revision = "0001"
down_revision = None

# Primary keys are created after a table's other indexes: while the table is empty all cost the same, the planner takes the
# newest, and sessions keep their plans.
STATEMENTS = """
create table mailstore.mailbox (
    id uuid primary key,
    usage bigint not null default 0 constraint mailbox_usage check (usage >= 0),
    quota_limit bigint not null default 0,
    limit_version integer not null default 0,
    next_folder_id integer not null default 1,
    last_uidvalidity bigint not null default 0,
    purged_at timestamptz
);
create table mailstore.folder (
    mailbox_id uuid not null,
    folder_id integer not null,
    name text not null,
    uidvalidity bigint not null,
    uidnext bigint not null default 1,
    highest_modseq bigint not null default 1,
    forgotten_modseq bigint not null default 0,
    recent_from bigint not null default 1,
    messages integer not null default 0,
    unseen integer not null default 0,
    octets bigint not null default 0,
    special_use text not null default '',
    keywords text[] not null default '{}',
    primary key (mailbox_id, folder_id),
    unique (mailbox_id, name),
    constraint folder_counts check (unseen between 0 and messages and octets >= 0)
);
create table mailstore.subscription (
    mailbox_id uuid not null,
    name text not null,
    primary key (mailbox_id, name)
);
create table mailstore.message (
    mailbox_id uuid not null,
    folder_id integer not null,
    uid bigint not null,
    body_id uuid not null,
    prefix bytea not null,
    size bigint not null,
    flags bigint not null,
    modseq bigint not null,
    internaldate timestamptz not null
);
create index message_modseq on mailstore.message (mailbox_id, folder_id, modseq);
create index message_body on mailstore.message (body_id);
alter table mailstore.message add primary key (mailbox_id, folder_id, uid);
create table mailstore.rendered (
    mailbox_id uuid not null,
    folder_id integer not null,
    uid bigint not null,
    envelope bytea not null,
    body bytea not null,
    bodystructure bytea not null,
    parts bytea not null,
    sent_day date,
    subject text not null,
    from_ text not null,
    to_ text not null,
    cc text not null,
    bcc text not null
);
create index rendered_big on mailstore.rendered (mailbox_id, folder_id, uid)
    where octet_length(envelope) + octet_length(body) + octet_length(bodystructure) > 65536;
alter table mailstore.rendered add primary key (mailbox_id, folder_id, uid);
alter table mailstore.rendered set (toast_tuple_target = 4080);
create table mailstore.expunged (
    mailbox_id uuid not null,
    folder_id integer not null,
    uid bigint not null,
    modseq bigint not null,
    at timestamptz not null
);
create index expunged_modseq on mailstore.expunged (mailbox_id, folder_id, modseq);
create index expunged_at on mailstore.expunged (at);
alter table mailstore.expunged add primary key (mailbox_id, folder_id, uid);
create table mailstore.filed (
    queue_id uuid not null,
    mailbox_id uuid not null,
    primary key (queue_id, mailbox_id)
) partition by range (queue_id);
create table mailstore.filed_rest partition of mailstore.filed default;
create table mailstore.maildrop_lease (
    mailbox_id uuid primary key,
    session_id uuid not null,
    until timestamptz not null
);
create table mailstore.operation (
    mailbox_id uuid not null,
    id uuid not null,
    answer bytea not null,
    made_at timestamptz not null,
    primary key (mailbox_id, id)
);
create index operation_made on mailstore.operation (made_at);
create table mailstore.singleton (
    name text primary key,
    holder uuid not null,
    fence bigint not null,
    until timestamptz not null
);
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
