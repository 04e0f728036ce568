-- name: exported_messages
-- The first $4 messages with UIDs above $3.
select m.uid, m.body_id, m.prefix, m.size, m.flags, extract(epoch from m.internaldate)::float8 as at, m.uidl
  from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and m.uid > $3 order by m.uid limit $4

-- name: is_folder
select true from mailstore.folder where mailbox_id = $1 and folder_id = $2
