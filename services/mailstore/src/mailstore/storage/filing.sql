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

-- name: wait_for_places
-- Lock the folders $2 of the mailboxes $1, which are locked.
select from mailstore.folder f where (f.mailbox_id, f.folder_id) in (select * from unnest($1::uuid[], $2::int[]))
 order by f.mailbox_id, f.folder_id for update

-- name: places
-- For filings: the folders with the special uses $2 of the mailboxes $1, which are locked, else their INBOXes.
select t.mailbox_id, t.use,
       coalesce((select min(folder_id) from mailstore.folder f
                  where f.mailbox_id = t.mailbox_id and f.special_use = t.use and t.use <> ''), 1)::int as folder_id
  from unnest($1::uuid[], $2::text[]) as t(mailbox_id, use)

-- name: lock_free_places
-- Those of the folders $2 of the mailboxes $1 that no other session has locked; never waits.
select f.mailbox_id, f.folder_id, f.keywords
  from unnest($1::uuid[], $2::int[]) as t(mailbox_id, folder_id) cross join lateral (
       select mailbox_id, folder_id, keywords from mailstore.folder f
        where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id for update skip locked) as f

-- name: keep_keywords
-- $3: the keywords of each folder, separated by spaces.
update mailstore.folder f set keywords = string_to_array(t.keywords, ' ')
  from unnest($1::uuid[], $2::int[], $3::text[]) as t(mailbox_id, folder_id, keywords)
 where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id

-- name: take_uids_and_usage
-- For filings into folders $7 of mailboxes $6, $8 messages each, $9 of them unseen, of $10 octets: allocates UIDs and a MODSEQ.
-- Adds the usage $2 of each mailbox $1, and keeps the limit of the highest version. $5: the owner may be warned of the quota again.
with t as (
    select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::boolean[])
        as t(mailbox_id, added, quota_limit, limit_version, rearmed)
), u as (
    update mailstore.mailbox m set usage = m.usage + t.added,
           quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
           limit_version = greatest(m.limit_version, t.limit_version),
           quota_warned_at = case when t.rearmed then null else m.quota_warned_at end
      from t where m.id = t.mailbox_id
)
update mailstore.folder f set uidnext = f.uidnext + t.n, highest_modseq = f.highest_modseq + 1,
       messages = f.messages + t.n, unseen = f.unseen + t.unseen, recent = f.recent + t.n, octets = f.octets + t.added
  from unnest($6::uuid[], $7::int[], $8::int[], $9::int[], $10::bigint[]) as t(mailbox_id, folder_id, n, unseen, added)
 where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id
returning f.mailbox_id, f.folder_id, f.uidnext - t.n as first_uid, f.highest_modseq as modseq

-- name: insert_filed
insert into mailstore.filed (queue_id, mailbox_id, body_id, at) select *, $4 from unnest($1::uuid[], $2::uuid[], $3::uuid[])
