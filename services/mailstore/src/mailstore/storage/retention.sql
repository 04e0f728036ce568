-- name: forget_operations
delete from mailstore.operation o
 using (select mailbox_id, id from mailstore.operation where made_at < $1 order by made_at limit $2) as old
 where o.mailbox_id = old.mailbox_id and o.id = old.id returning o.id

-- name: old_tombstones
-- Of folders that no other session has locked; locks these.
select e.mailbox_id, e.folder_id, e.uid
  from mailstore.expunged e cross join lateral (
       select folder_id from mailstore.folder f where f.mailbox_id = e.mailbox_id and f.folder_id = e.folder_id offset 0
          for update skip locked) as f
 where e.at < $1 order by e.at limit $2

-- name: forget_tombstones
with d as (
    delete from mailstore.expunged e using unnest($1::uuid[], $2::int[], $3::bigint[]) as t(mailbox_id, folder_id, uid)
     where e.mailbox_id = t.mailbox_id and e.folder_id = t.folder_id and e.uid = t.uid
    returning e.mailbox_id, e.folder_id, e.modseq
), g as (
    select mailbox_id, folder_id, max(modseq) as modseq from d group by 1, 2
)
update mailstore.folder f set forgotten_modseq = greatest(f.forgotten_modseq, g.modseq)
  from g where f.mailbox_id = g.mailbox_id and f.folder_id = g.folder_id

-- name: recoverable_due
-- The mailboxes with messages deleted before $1, or with more than is kept.
select id as mailbox_id from mailstore.mailbox where recoverable_since < $1 order by recoverable_since limit $2

-- name: cleared_folders
-- The first $3 folders after ($1, $2) that may be cleared, and whether their oldest message came before $4 (Junk) or $5 (Trash). UIDs
-- ascend with the time of saving, so the oldest is the first. An index has these folders only (schema.py).
select f.mailbox_id, f.folder_id,
       coalesce(m.saved_at, m.internaldate) < case when f.special_use = '\Junk' then $4::timestamptz else $5::timestamptz end is true as due
  from (select mailbox_id, folder_id, special_use from mailstore.folder
         where special_use in ('\Junk', '\Trash') and (mailbox_id, folder_id) > ($1, $2)
         order by mailbox_id, folder_id limit $3) as f
  left join lateral (
       select saved_at, internaldate from mailstore.message m
        where m.mailbox_id = f.mailbox_id and m.folder_id = f.folder_id order by m.uid limit 1) as m on true
 order by f.mailbox_id, f.folder_id

-- name: first_messages
-- The first $3 messages of a folder.
select uid, coalesce(saved_at, internaldate) as at from mailstore.message
 where mailbox_id = $1 and folder_id = $2 order by uid limit $3

-- name: lock_for_upkeep
-- Locks the mailbox's row unless another session has.
select id as mailbox_id from mailstore.mailbox where id = $1 for update skip locked

-- name: partitions
-- Each partition with its upper bound, an id; the default one has none.
select c.relname as name, substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''([0-9a-f-]+)''\)') as bound
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
 where i.inhparent = $1::text::regclass

-- name: make_partition
select mailstore.make_partition($1, $2, $3, $4)

-- name: drop_partition
select mailstore.drop_partition($1, $2)
