-- name: lock_free_mailboxes
-- For filing: the mailboxes, and their INBOXes, that no other session has locked; never waits. A purged mailbox has no
-- INBOX.
with m as materialized (
    select id as mailbox_id, usage, quota_limit, limit_version, quota_warned_at, purged_at,
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

-- name: known_filed
-- The bounds $3 and $4 leave out the partitions of other days.
select f.queue_id, f.mailbox_id
  from unnest($1::uuid[], $2::uuid[]) as t(queue_id, mailbox_id)
 cross join lateral (
       select * from mailstore.filed f
        where f.queue_id = t.queue_id and f.mailbox_id = t.mailbox_id and f.queue_id between $3 and $4 offset 0) as f

-- name: take_uids_and_usage
-- For filings into folder 1, $2 messages of $3 octets per mailbox: allocates UIDs and a MODSEQ, adds the usage, and keeps
-- the limit of the highest version. $6: the owner may be warned of the quota again.
with t as (
    select *, 1 as folder_id from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::int[], $6::boolean[])
        as t(mailbox_id, n, added, quota_limit, limit_version, rearmed)
), u as (
    update mailstore.mailbox m set usage = m.usage + t.added,
           quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
           limit_version = greatest(m.limit_version, t.limit_version),
           quota_warned_at = case when t.rearmed then null else m.quota_warned_at end
      from t where m.id = t.mailbox_id
)
update mailstore.folder f set uidnext = f.uidnext + t.n, highest_modseq = f.highest_modseq + 1,
       messages = f.messages + t.n, unseen = f.unseen + t.n, recent = f.recent + t.n, octets = f.octets + t.added
  from t where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id
returning f.mailbox_id, f.uidnext - t.n as first_uid, f.highest_modseq as modseq

-- name: insert_filed
insert into mailstore.filed (queue_id, mailbox_id, body_id, at) select *, $4 from unnest($1::uuid[], $2::uuid[], $3::uuid[])
