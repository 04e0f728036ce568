"""The first schema of queue-worker."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = """
create table queue.message (
    id uuid primary key,
    mail_from text not null,
    body_id uuid not null,
    size bigint not null,
    first_seen timestamptz not null,
    expires timestamptz not null,
    account uuid,
    client_address text,
    eight_bit boolean not null,
    smtputf8 boolean not null,
    bounce boolean not null,
    sender_mailbox uuid,
    sender_limit bigint not null,
    sender_limit_version integer not null
);
create index message_body on queue.message (body_id);
create table queue.recipient (
    message_id uuid not null,
    n smallint not null,
    destination text collate "C" not null,
    address text not null,
    original text not null,
    mailbox_id uuid,
    quota_limit bigint not null,
    limit_version integer not null,
    looped boolean not null,
    state text not null constraint recipient_state check (state in ('waiting', 'claimed')),
    due timestamptz not null,
    attempt integer not null default 0,
    tries integer not null default 0,
    worker uuid,
    claimed_at timestamptz,
    dot_sent boolean not null default false,
    in_doubt integer not null default 0,
    status text not null default '',
    reply text not null default '',
    remote_host text,
    diagnostic text,
    primary key (message_id, n),
    constraint recipient_claim check ((state = 'claimed') = (worker is not null and claimed_at is not null)),
    constraint recipient_destination check ((destination = '') = (mailbox_id is not null))
);
create index recipient_local_due on queue.recipient (due) where mailbox_id is not null;
create index recipient_remote_due on queue.recipient (destination, due) where mailbox_id is null;
alter table queue.recipient set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create table queue.finished (
    message_id uuid not null,
    n smallint not null,
    mail_from text not null,
    address text not null,
    original text not null,
    mailbox_id uuid,
    state text not null constraint finished_state check (state in ('delivered', 'failed', 'expired')),
    status text not null,
    reply text not null,
    remote_host text,
    tries integer not null,
    in_doubt integer not null,
    first_seen timestamptz not null,
    finished_at timestamptz not null,
    primary key (message_id, n)
) partition by range (message_id);
create table queue.finished_rest partition of queue.finished default;
create table queue.attempt (
    message_id uuid not null,
    n smallint not null,
    attempt integer not null,
    at timestamptz not null,
    outcome text not null constraint attempt_outcome check (outcome in ('deferred', 'in_doubt')),
    status text not null,
    reply text not null,
    remote_host text,
    primary key (message_id, n, attempt)
) partition by range (message_id);
create table queue.attempt_rest partition of queue.attempt default;
create table queue.submission (
    id uuid primary key,
    queue_id uuid not null
) partition by range (id);
create table queue.submission_rest partition of queue.submission default;
create table queue.singleton (
    name text primary key,
    holder uuid not null,
    fence bigint not null,
    until timestamptz not null
);
comment on table queue.message is 'Messages with recipients under way; the row leaves with the last of them';
comment on column queue.message.expires is 'When delivery is given up (S8)';
comment on column queue.message.sender_mailbox is 'Where a bounce goes when the sender is a mailbox of ours';
comment on table queue.recipient is 'Recipients under way; a row leaves for queue.finished';
comment on column queue.recipient.state is 'waiting: tried when due; claimed: a worker has it until its lease ends';
comment on column queue.recipient.due is 'waiting: the next try; claimed: the end of the lease. What is due may be claimed';
comment on column queue.recipient.attempt is 'The fence: grows with every claim, every write names it';
comment on column queue.recipient.tries is 'Attempts that ended and did not end the matter';
comment on column queue.recipient.dot_sent is 'The final dot of this attempt may have gone out';
comment on column queue.recipient.in_doubt is 'Attempts that may have delivered: the reply to their dot is unknown';
comment on column queue.recipient.looped is 'The message came with our Delivered-To for this recipient';
comment on column queue.recipient.destination is 'Remote domain; empty for a mailbox of ours';
comment on table queue.finished is 'Where recipients that left went, for a week';
comment on table queue.attempt is 'Earlier attempts, for a week';
comment on table queue.submission is 'Hand-over ids by their own time: a repeated hand-over is the same message';
comment on table queue.singleton is 'Work that one replica does: who, until when';
"""


def upgrade() -> None:
    for statement in STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)
