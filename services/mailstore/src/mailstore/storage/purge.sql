-- name: mark_purged
insert into mailstore.mailbox as m (id, purged_at) values ($1, $2)
on conflict (id) do update set purged_at = coalesce(m.purged_at, excluded.purged_at)
returning id as mailbox_id

-- name: purge_slice
with v as materialized (
    select mailbox_id, folder_id, uid from mailstore.message where mailbox_id = $1 limit $2
), d as (
    delete from mailstore.message m using v
     where m.mailbox_id = v.mailbox_id and m.folder_id = v.folder_id and m.uid = v.uid returning m.body_id, m.size
), r as (
    delete from mailstore.rendered r using v
     where r.mailbox_id = v.mailbox_id and r.folder_id = v.folder_id and r.uid = v.uid
), u as (
    update mailstore.mailbox set usage = usage - (select coalesce(sum(size), 0) from d) where id = $1
)
select body_id from d

-- name: purge_signatures
-- After as many messages are gone (signatures.sql).
with v as materialized (
    select mailbox_id, folder_id, uid from mailstore.text_signature where mailbox_id = $1 limit $2
)
delete from mailstore.text_signature s using v
 where s.mailbox_id = v.mailbox_id and s.folder_id = v.folder_id and s.uid = v.uid

-- name: purge_rest
with t as (delete from mailstore.text_signature where mailbox_id = $1),
     f as (delete from mailstore.folder where mailbox_id = $1),
     s as (delete from mailstore.subscription where mailbox_id = $1),
     a as (delete from mailstore.annotation where mailbox_id = $1),
     e as (delete from mailstore.expunged where mailbox_id = $1),
     o as (delete from mailstore.operation where mailbox_id = $1),
     i as (delete from mailstore.imported where mailbox_id = $1)
delete from mailstore.maildrop_lease where mailbox_id = $1
