-- name: unsigned
-- The first $4 messages from UID $3 on that the text index does not have.
select m.uid, m.body_id, m.prefix, m.size, r.parts
  from mailstore.message m cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid >= $3 and not exists (
       select from mailstore.text_signature s
        where s.mailbox_id = $1 and s.folder_id = $2 and s.uid = m.uid offset 0)
 order by m.uid limit $4

-- name: sign
-- The lock on each message makes its removal wait for the commit, and so the statement that removes the signature afterwards
-- sees it. A message that is being removed is left out. Neither a filing nor STORE waits for such a lock.
insert into mailstore.text_signature (mailbox_id, folder_id, uid, signature)
select m.mailbox_id, m.folder_id, m.uid, t.signature
  from unnest($3::bigint[], $4::bytea[]) as t(uid, signature)
 cross join lateral (
       select mailbox_id, folder_id, uid from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid = t.uid for key share skip locked) as m
    on conflict do nothing
