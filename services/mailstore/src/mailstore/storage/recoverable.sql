-- name: recoverable_after
-- The first $3 messages with numbers above $2, with their folder's name now, or if it is deleted as it was then.
select r.number, r.at, r.folder_id, coalesce(f.name, r.folder) as folder, r.body_id, r.size, r.internaldate
  from (select * from mailstore.recoverable where mailbox_id = $1 and number > $2 order by number limit $3) as r
  left join lateral (
       select name from mailstore.folder f where f.mailbox_id = r.mailbox_id and f.folder_id = r.folder_id offset 0) as f on true
 order by r.number

-- name: recoverable_before
-- The last $3 messages with numbers below $2, as above.
select r.number, r.at, r.folder_id, coalesce(f.name, r.folder) as folder, r.body_id, r.size, r.internaldate
  from (select * from mailstore.recoverable where mailbox_id = $1 and number < $2 order by number desc limit $3) as r
  left join lateral (
       select name from mailstore.folder f where f.mailbox_id = r.mailbox_id and f.folder_id = r.folder_id offset 0) as f on true
 order by r.number desc

-- name: recoverable_numbered
-- Those of the numbers $2, as above.
select r.number, r.at, r.folder_id, coalesce(f.name, r.folder) as folder, r.body_id, r.size, r.internaldate
  from mailstore.recoverable as r
  left join lateral (
       select name from mailstore.folder f where f.mailbox_id = r.mailbox_id and f.folder_id = r.folder_id offset 0) as f on true
 where r.mailbox_id = $1 and r.number = any($2::bigint[]) order by r.number

-- name: take_recoverable
-- Removes those of the numbers $2; the caller has locked the mailbox's row.
with d as (
    delete from mailstore.recoverable where mailbox_id = $1 and number = any($2::bigint[]) returning *
), u as (
    update mailstore.mailbox b
       set recoverable_messages = b.recoverable_messages - t.messages, recoverable_octets = b.recoverable_octets - t.octets,
           recoverable_since = case when b.recoverable_messages > t.messages then b.recoverable_since end
      from (select count(*) as messages, coalesce(sum(size), 0)::bigint as octets from d) as t where b.id = $1
)
select number, folder_id, folder, body_id, prefix, size, flags, internaldate, open_end from d where mailbox_id = $1 order by number

-- name: oldest_recoverable
select number, at, size from mailstore.recoverable where mailbox_id = $1 order by number limit $2

-- name: recoverable_state
select recoverable_messages as messages, recoverable_octets as octets, quota_limit, limit_version
  from mailstore.mailbox where id = $1

-- name: set_recoverable_since
-- $3: more is there than is kept.
update mailstore.mailbox set recoverable_since = case when $3 then '-infinity' else $2::timestamptz end where id = $1
