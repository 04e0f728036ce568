-- name: next_mailbox
-- The first mailbox from $1 on.
select id as mailbox_id from mailstore.mailbox where id >= $1 order by id limit 1

-- name: messages_about
-- About how many messages there are, from the statistics.
select greatest(reltuples, 0)::bigint as messages from pg_class
 where relname = 'message' and relnamespace = 'mailstore'::regnamespace

-- name: lock_checked
select id as mailbox_id from mailstore.mailbox where id = $1 for update

-- name: lock_checked_folders
select folder_id from mailstore.folder where mailbox_id = $1 order by folder_id for update

-- name: folder_counts
-- Each folder with what it says of its messages, and what they say: one statement, so that both are of one moment.
select f.folder_id, f.name, f.messages, f.unseen, f.octets, f.recent, f.uidnext, f.highest_modseq as modseq,
       m.messages as messages_there, m.unseen as unseen_there, m.octets as octets_there, m.recent as recent_there,
       m.uidnext as uidnext_there, m.modseq as modseq_there
  from mailstore.folder f cross join lateral (
       select count(*) as messages, count(*) filter (where flags & 8 = 0) as unseen, coalesce(sum(size), 0)::bigint as octets,
              count(*) filter (where uid >= f.recent_from) as recent, coalesce(max(uid), 0) + 1 as uidnext,
              coalesce(max(modseq), 0) as modseq
         from mailstore.message m where m.mailbox_id = f.mailbox_id and m.folder_id = f.folder_id) as m
 where f.mailbox_id = $1 order by f.folder_id

-- name: set_folder_counts
update mailstore.folder
   set messages = $3, unseen = $4, octets = $5, recent = case when recent is not null then $6::int end,
       uidnext = greatest(uidnext, $7), highest_modseq = greatest(highest_modseq, $8) + 1
 where mailbox_id = $1 and folder_id = $2

-- name: mailbox_counts
select b.usage, b.recoverable_messages, b.recoverable_octets, m.octets as usage_there, r.messages as recoverable_messages_there,
       r.octets as recoverable_octets_there
  from mailstore.mailbox b
 cross join lateral (
       select coalesce(sum(size), 0)::bigint as octets from mailstore.message m where m.mailbox_id = b.id) as m
 cross join lateral (
       select count(*) as messages, coalesce(sum(size), 0)::bigint as octets from mailstore.recoverable r where r.mailbox_id = b.id) as r
 where b.id = $1

-- name: set_mailbox_counts
-- A time of the oldest recoverable message of null would hide them from upkeep.
update mailstore.mailbox
   set usage = $2, recoverable_messages = $3, recoverable_octets = $4,
       recoverable_since = case when $3::bigint > 0 then coalesce(recoverable_since, '-infinity') end
 where id = $1

-- name: without_folder
-- Folder ids of messages whose folder is not there.
select m.folder_id, count(*) as messages, max(m.uid) as last_uid, max(m.modseq) as modseq
  from mailstore.message m left join lateral (
       select folder_id from mailstore.folder f
        where f.mailbox_id = m.mailbox_id and f.folder_id = m.folder_id offset 0) as f on true
 where m.mailbox_id = $1 and f.folder_id is null
 group by m.folder_id order by m.folder_id limit 100

-- name: make_lost_folder
-- Makes a folder of the id $2 named $3 for its messages; their counters are set afterwards.
with m as (
    update mailstore.mailbox
       set next_folder_id = greatest(next_folder_id, $2 + 1), last_uidvalidity = greatest(last_uidvalidity + 1, $4::bigint)
     where id = $1 returning id as mailbox_id, last_uidvalidity
)
insert into mailstore.folder (mailbox_id, folder_id, name, uidvalidity, uidnext, highest_modseq)
select mailbox_id, $2, $3, last_uidvalidity, $5, $6 from m

-- name: without_message
-- Rendered rows whose message is not there.
select r.folder_id, r.uid
  from mailstore.rendered r left join lateral (
       select true as there from mailstore.message m
        where m.mailbox_id = r.mailbox_id and m.folder_id = r.folder_id and m.uid = r.uid offset 0) as m on true
 where r.mailbox_id = $1 and m.there is null limit 1000

-- name: drop_without_message
delete from mailstore.rendered r
 using unnest(array_fill($1::uuid, array[cardinality($2::int[])]), $2::int[], $3::bigint[]) as t(mailbox_id, folder_id, uid)
 where r.mailbox_id = t.mailbox_id and r.folder_id = t.folder_id and r.uid = t.uid

-- name: checked_messages
-- The first $4 messages after (folder $2, UID $3): what their bodies should have, and whether they are rendered.
select m.folder_id, m.uid, m.body_id, m.size, octet_length(m.prefix) as prefix_size, r.uid is null as unrendered
  from (select * from mailstore.message where mailbox_id = $1 and (folder_id, uid) > ($2, $3)
         order by folder_id, uid limit $4) as m
  left join lateral (
       select uid from mailstore.rendered r
        where r.mailbox_id = m.mailbox_id and r.folder_id = m.folder_id and r.uid = m.uid offset 0) as r on true
 order by m.folder_id, m.uid

-- name: set_size
update mailstore.message set size = $4 where mailbox_id = $1 and folder_id = $2 and uid = $3

-- name: insert_rendered
-- Of messages that are still there.
insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject, from_, to_, cc, bcc,
                                message_id, references_, base_subject, derived, from_mailbox, to_mailbox, cc_mailbox, from_display,
                                to_display)
select t.mailbox_id, t.folder_id, t.uid, envelope, body, bodystructure, parts, sent_day, subject, from_, to_, cc, bcc, message_id,
       references_, base_subject, derived, from_mailbox, to_mailbox, cc_mailbox, from_display, to_display
  from unnest($1::mailstore.new_message[]) as t
 where exists (
       select from mailstore.message m where m.mailbox_id = t.mailbox_id and m.folder_id = t.folder_id and m.uid = t.uid)
    on conflict do nothing
