-- name: folder_keywords
select keywords from mailstore.folder where mailbox_id = $1 and folder_id = $2

-- name: matching
-- The condition is inserted by search.py: the keys of the program, with their arguments after those of the folder.
-- The UIDs are one array: five thousand rows take longer to be read than to be found.
select array_agg(m.uid order by m.uid) as uids
  from mailstore.message m cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition

-- name: matching_in_message
-- The same for keys on columns of `message` alone: a row of `rendered` for each message costs several times as much.
select array_agg(m.uid order by m.uid) as uids
  from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and $condition

-- name: matching_in_rendered
-- The same for keys on columns of `rendered` alone, and UIDs, which both tables have.
select array_agg(m.uid order by m.uid) as uids
  from mailstore.rendered r cross join lateral (select r.uid) as m
 where r.mailbox_id = $1 and r.folder_id = $2 and $condition

-- name: greatest_modseq
select max(modseq) as modseq from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])

-- name: candidates
-- For a program that also searches bodies: messages above a UID that the condition does not rule out, with the place of
-- their octets and the values of the keys on columns. The text index is joined where there is one (search.py).
select m.uid, m.body_id, m.prefix, m.size, r.parts, $unsigned as unsigned$values
  from mailstore.message m cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r$signature
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition and m.uid > $after::bigint order by m.uid limit $limit
