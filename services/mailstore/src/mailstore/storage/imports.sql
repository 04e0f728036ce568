-- name: known_keys
select key from mailstore.imported where mailbox_id = $1 and key = any($2::uuid[])

-- name: keep_keys
insert into mailstore.imported (mailbox_id, key) select $1, key from unnest($2::uuid[]) as t(key)

-- name: adopt
-- A folder that never held a message takes the UIDVALIDITY of another system and starts above the UIDs that are kept for the
-- import. No session may go on with what it knows of the folder.
with f as (
    update mailstore.folder
       set uidvalidity = $3, uidnext = $4, recent_from = $4, highest_modseq = highest_modseq + 1,
           forgotten_modseq = highest_modseq + 1
     where mailbox_id = $1 and folder_id = $2 and uidnext = 1 and messages = 0
    returning uidvalidity
)
update mailstore.mailbox set last_uidvalidity = greatest(last_uidvalidity, $3)
 where id = $1 and exists (select from f)
returning id

-- name: taken_uids
-- Those of $3 that a message has, or had.
select uid from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
union
select uid from mailstore.expunged where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])

-- name: count_imported
-- Counts $3 new messages of $5 octets, $4 of them unseen, and sets UIDNEXT to $6. Their UIDs may be below those that sessions
-- know, so none may go on with what it knows of the folder.
update mailstore.folder
   set messages = messages + $3::int, unseen = unseen + $4::int, octets = octets + $5::bigint, uidnext = $6,
       recent = recent + (select count(*) from unnest($7::bigint[]) as t(number) where t.number >= recent_from),
       highest_modseq = highest_modseq + 1, forgotten_modseq = highest_modseq + 1
 where mailbox_id = $1 and folder_id = $2
returning highest_modseq
