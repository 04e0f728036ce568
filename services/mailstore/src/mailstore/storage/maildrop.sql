-- name: take_maildrop
-- Takes the POP3 lock if it is free, expired or this session's; not for a session whose close arrived before its open.
insert into mailstore.maildrop_lease as l (mailbox_id, session_id, until)
select $1, $2, $4 where not exists (select from mailstore.operation where mailbox_id = $1 and id = $2)
on conflict (mailbox_id) do update set session_id = excluded.session_id, until = excluded.until
 where l.until < $3 or l.session_id = excluded.session_id
returning mailbox_id

-- name: maildrop_messages
-- Sizes as POP3 sends the messages: a last line without CRLF gets one (RFC 1939 3, 11).
select uid, size + case when open_end then 2 else 0 end as size from mailstore.message where mailbox_id = $1 and folder_id = 1 order by uid

-- name: renew_maildrops
update mailstore.maildrop_lease l set until = $4
  from unnest($1::uuid[], $2::uuid[]) as t(mailbox_id, session_id)
 where l.mailbox_id = t.mailbox_id and l.session_id = t.session_id and l.until > $3
returning l.mailbox_id, l.session_id

-- name: free_maildrop
-- Returns no row if the lock was lost.
delete from mailstore.maildrop_lease where mailbox_id = $1 and session_id = $2 and until > $3 returning mailbox_id

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

-- name: purge_rest
with f as (delete from mailstore.folder where mailbox_id = $1),
     s as (delete from mailstore.subscription where mailbox_id = $1),
     e as (delete from mailstore.expunged where mailbox_id = $1),
     o as (delete from mailstore.operation where mailbox_id = $1)
delete from mailstore.maildrop_lease where mailbox_id = $1
