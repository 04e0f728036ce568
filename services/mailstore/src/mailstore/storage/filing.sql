-- name: lock_mailboxes
-- Always in the order of ids, so that transactions cannot deadlock.
select id as mailbox_id, usage, quota_limit, limit_version, purged_at,
       (select coalesce(sum(f.messages), 0) from mailstore.folder f where f.mailbox_id = m.id) as messages
  from mailstore.mailbox as m
 where id = any($1::uuid[]) order by id for update

-- name: lock_free_mailboxes
-- For filing: the mailboxes, and their INBOXes, that no other session has locked; never waits. A purged mailbox has no
-- INBOX.
with m as materialized (
    select id as mailbox_id, usage, quota_limit, limit_version, purged_at,
           (select coalesce(sum(f.messages), 0) from mailstore.folder f where f.mailbox_id = m.id) as messages
      from mailstore.mailbox as m
     where id = any($1::uuid[]) order by id for update skip locked
), f as materialized (
    select f.mailbox_id
      from m cross join lateral (
           select mailbox_id from mailstore.folder f where f.mailbox_id = m.mailbox_id and f.folder_id = 1
              for update skip locked) as f
)
select * from m where purged_at is not null or mailbox_id in (select mailbox_id from f)

-- name: lock_inboxes
-- After their mailboxes, in the same order.
select folder_id from mailstore.folder where mailbox_id = any($1::uuid[]) and folder_id = 1 order by mailbox_id for update

-- name: make_mailboxes
-- $1 mailbox ids; $2 names and $3 special uses of the default folders; their UIDVALIDITYs are $4 + 1, $4 + 2 ...
with new as (
    insert into mailstore.mailbox (id, next_folder_id, last_uidvalidity)
    select mailbox_id, cardinality($2::text[]) + 1, $4::bigint + cardinality($2::text[])
      from unnest($1::uuid[]) as t(mailbox_id) order by 1
    on conflict (id) do nothing returning id as mailbox_id
), s as (
    insert into mailstore.subscription (mailbox_id, name)
    select mailbox_id, name from new cross join unnest($2::text[]) as f(name) on conflict do nothing
)
insert into mailstore.folder (mailbox_id, folder_id, name, special_use, uidvalidity)
select mailbox_id, n, name, special_use, $4::bigint + n
  from new cross join unnest($2::text[], $3::text[]) with ordinality as f(name, special_use, n)

-- name: sizes
-- Usage and the limit of the highest version, to answer RCPT.
select id as mailbox_id, usage, quota_limit, limit_version, purged_at is not null as purged,
       (select coalesce(sum(f.messages), 0) from mailstore.folder f where f.mailbox_id = m.id) as messages
  from mailstore.mailbox as m where id = any($1::uuid[])

-- name: known_filed
select queue_id, mailbox_id from mailstore.filed
 where (queue_id, mailbox_id) in (select * from unnest($1::uuid[], $2::uuid[]))

-- name: take_uids_and_room
-- For filings into folder 1, $2 messages of $3 octets per mailbox: allocates UIDs and a MODSEQ, adds the usage, and keeps
-- the limit of the highest version.
with t as (
    select *, 1 as folder_id from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::int[])
        as t(mailbox_id, n, added, quota_limit, limit_version)
), u as (
    update mailstore.mailbox m set usage = m.usage + t.added,
           quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
           limit_version = greatest(m.limit_version, t.limit_version)
      from t where m.id = t.mailbox_id
)
update mailstore.folder f set uidnext = f.uidnext + t.n, highest_modseq = f.highest_modseq + 1,
       messages = f.messages + t.n, unseen = f.unseen + t.n, octets = f.octets + t.added
  from t where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id
returning f.mailbox_id, f.uidnext - t.n as first_uid, f.highest_modseq as modseq

-- name: take_uids
-- Allocates UIDs and one MODSEQ for $3 new messages of $5 octets in a folder, $4 of them unseen; returns the first UID.
update mailstore.folder set uidnext = uidnext + $3::int, highest_modseq = highest_modseq + 1,
       messages = messages + $3::int, unseen = unseen + $4::int, octets = octets + $5::bigint
 where mailbox_id = $1 and folder_id = $2
returning uidnext - $3::int as first_uid, highest_modseq as modseq, uidvalidity

-- name: insert_messages
with t as (
    select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::uuid[], $5::bytea[], $6::bigint[], $7::bigint[],
                         $8::bigint[], $9::timestamptz[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[],
                         $14::date[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::boolean[])
        as t(mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, envelope, body,
             bodystructure, parts, sent_day, subject, from_, to_, cc, bcc, open_end)
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc)
    select mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject, from_, to_, cc, bcc from t
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end)
select mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end from t

-- name: insert_filed
insert into mailstore.filed (queue_id, mailbox_id) select * from unnest($1::uuid[], $2::uuid[])

-- name: add_usage
-- Adds $2 octets, which may be negative, and keeps the limit of the highest version.
update mailstore.mailbox m set usage = m.usage + t.added,
       quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
       limit_version = greatest(m.limit_version, t.limit_version)
  from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[]) as t(mailbox_id, added, quota_limit, limit_version)
 where m.id = t.mailbox_id

-- name: references
select distinct body_id from mailstore.message where body_id = any($1::uuid[])

-- name: notify
select pg_notify('postrider_mailboxes', payload) from unnest($1::text[]) as t(payload)

-- name: known_operation
select answer from mailstore.operation where mailbox_id = $1 and id = $2

-- name: remember_operation
insert into mailstore.operation (mailbox_id, id, answer, made_at) values ($1, $2, $3, $4)
