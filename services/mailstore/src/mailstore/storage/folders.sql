-- name: folder_names
select folder_id, name from mailstore.folder where mailbox_id = $1 order by name

-- name: special_uses
select special_use from mailstore.folder where mailbox_id = $1 and special_use <> ''

-- name: folder_named
select * from mailstore.folder where mailbox_id = $1 and name = $2

-- name: lock_folder
select * from mailstore.folder where mailbox_id = $1 and folder_id = $2 for update

-- name: lock_folder_named
select * from mailstore.folder where mailbox_id = $1 and name = $2 for update

-- name: make_folder
-- A later folder has a greater UIDVALIDITY, even if a name is reused within a second or the clock was set back.
with m as (
    update mailstore.mailbox
       set next_folder_id = next_folder_id + 1, last_uidvalidity = greatest(last_uidvalidity + 1, $3::bigint)
     where id = $1 returning id as mailbox_id, next_folder_id - 1 as n, last_uidvalidity
)
insert into mailstore.folder (mailbox_id, folder_id, name, uidvalidity, special_use)
select mailbox_id, n, $2, last_uidvalidity, $4 from m returning folder_id

-- name: rename_folder
update mailstore.folder set name = $3 where mailbox_id = $1 and folder_id = $2

-- name: drop_folder
delete from mailstore.folder where mailbox_id = $1 and folder_id = $2

-- name: drop_folder_signatures
-- Those that are left when the messages are gone (signatures.sql).
delete from mailstore.text_signature where mailbox_id = $1 and folder_id = $2

-- name: drop_folder_tombstones
delete from mailstore.expunged where mailbox_id = $1 and folder_id = $2

-- name: take_uids
-- Allocates UIDs and one MODSEQ for $3 new messages of $5 octets in a folder, $4 of them unseen; returns the first UID.
update mailstore.folder set uidnext = uidnext + $3::int, highest_modseq = highest_modseq + 1,
       messages = messages + $3::int, unseen = unseen + $4::int, recent = recent + $3::int, octets = octets + $5::bigint
 where mailbox_id = $1 and folder_id = $2
returning uidnext - $3::int as first_uid, highest_modseq as modseq, uidvalidity

-- name: new_modseq
update mailstore.folder set highest_modseq = highest_modseq + 1 where mailbox_id = $1 and folder_id = $2
returning highest_modseq

-- name: set_keywords
update mailstore.folder set keywords = $3 where mailbox_id = $1 and folder_id = $2

-- name: subscribe
insert into mailstore.subscription (mailbox_id, name) values ($1, $2) on conflict do nothing

-- name: count_subscriptions
select count(*) from mailstore.subscription where mailbox_id = $1

-- name: unsubscribe
delete from mailstore.subscription where mailbox_id = $1 and name = $2
