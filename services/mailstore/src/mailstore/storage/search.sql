-- name: folder_keywords
select keywords from mailstore.folder where mailbox_id = $1 and folder_id = $2

-- name: matching
-- The condition is inserted by search.py: the keys of the program, with their arguments after those of the folder.
select m.uid
  from mailstore.message m cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition order by m.uid

-- name: greatest_modseq
select max(modseq) as modseq from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])

-- name: candidates
-- For a program that also searches bodies: messages above a UID that the condition does not rule out, with the place of
-- their octets and the values of the keys on columns.
select m.uid, m.body_id, m.prefix, m.size, r.parts$values
  from mailstore.message m cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition and m.uid > $after::bigint order by m.uid limit $limit
