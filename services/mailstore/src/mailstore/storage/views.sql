-- name: list_folders
-- With $2, also the number of \Recent messages. In a folder of a release before 0013 that no session has claimed yet they are
-- counted: those from `recent_from` on, or all less those before it, whichever range of UIDs is shorter.
select f.*, exists (
           select from mailstore.subscription s where s.mailbox_id = $1 and s.name = f.name offset 0) as subscribed,
       case when not $2 or f.recent_from >= f.uidnext then 0
            when f.recent is not null then f.recent
            when f.recent_from = 1 then f.messages
            when f.recent_from < f.uidnext - f.recent_from then f.messages - (
                select count(*) from mailstore.message m
                 where m.mailbox_id = $1 and m.folder_id = f.folder_id and m.uid < f.recent_from)
            else (
                select count(*) from mailstore.message m
                 where m.mailbox_id = $1 and m.folder_id = f.folder_id and m.uid >= f.recent_from)
       end as recent
  from mailstore.folder f
 where f.mailbox_id = $1 order by f.name

-- name: lost_subscriptions
-- Subscribed names that do not exist (RFC 3501 6.3.9).
select s.name from mailstore.subscription s
 where s.mailbox_id = $1 and not exists (
       select from mailstore.folder f where f.mailbox_id = $1 and f.name = s.name offset 0)

-- name: deleted_totals
-- Reads only such messages, by their index (schema.py).
select f.folder_id, d.messages, d.octets
  from mailstore.folder f cross join lateral (
       select count(*) as messages, coalesce(sum(m.size), 0)::bigint as octets
         from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = f.folder_id and m.flags & 4 <> 0 offset 0) as d
 where f.mailbox_id = $1 and d.messages > 0

-- name: count_messages
select messages from mailstore.folder where mailbox_id = $1 and name = $2

-- name: snapshot
-- A folder by its name with its messages, in one snapshot without a lock: UIDs and MODSEQs are allocated under the lock of
-- the folder's row, so the row and the messages agree (decision 8). A message is one number, its UID and the low 32 bits of its
-- flags, and the numbers come as the octets of an array: neither side makes an object for each (decision 54). Flags have more
-- bits in a folder with more than 24 keywords; only then are these read, as even a condition that is false costs for each row.
select f.*,
       array_send(array(
           select (uid << 32) | (flags & 4294967295) from mailstore.message m
            where m.mailbox_id = $1 and m.folder_id = f.folder_id order by uid)) as low,
       case when cardinality(f.keywords) > 24 then array_send(array(
           select flags >> 32 from mailstore.message m
            where m.mailbox_id = $1 and m.folder_id = f.folder_id order by uid)) end as high
  from mailstore.folder f
 where f.mailbox_id = $1 and f.name = $2

-- name: changes
-- The same for the changes after MODSEQ $3 of a folder by its id. `cut`: there are $4 or more of a kind, and not all were read;
-- with null all are.
select f.*, m.low, m.high, m.modseqs, e.uids as vanished, coalesce(m.number >= $4 or e.number >= $4, false) as cut
  from mailstore.folder f
  left join lateral (
       select array_send(array_agg((uid << 32) | (flags & 4294967295) order by uid)) as low,
              array_send(array_agg(flags >> 32 order by uid) filter (where cardinality(f.keywords) > 24)) as high,
              array_send(array_agg(modseq order by uid)) as modseqs, count(*) as number
         from (select uid, flags, modseq from mailstore.message m
                where m.mailbox_id = $1 and m.folder_id = $2 and m.modseq > $3 and f.highest_modseq > $3
                order by m.modseq limit $4) as m) m on true
  left join lateral (
       select array_send(array_agg(uid << 32 order by uid)) as uids, count(*) as number
         from (select uid from mailstore.expunged e
                where e.mailbox_id = $1 and e.folder_id = $2 and e.modseq > $3 and f.highest_modseq > $3
                order by e.modseq limit $4) as e) e on true
 where f.mailbox_id = $1 and f.folder_id = $2

-- name: count_changes
-- The number of the changes after MODSEQ $3.
select (select count(*) from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and m.modseq > $3)
     + (select count(*) from mailstore.expunged e where e.mailbox_id = $1 and e.folder_id = $2 and e.modseq > $3)

-- name: highest_modseqs
-- Of the folders that exist, with the place of each in the arrays.
select t.n, f.highest_modseq
  from unnest($1::uuid[], $2::int[]) with ordinality as t(mailbox_id, folder_id, n)
 cross join lateral (
       select * from mailstore.folder f where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id offset 0) as f

-- name: modseqs
-- UIDs and MODSEQs of the messages that changed after MODSEQ $3 and, with $4, the UIDs expunged after it.
select f.highest_modseq, f.forgotten_modseq, m.uids, m.modseqs, e.uids as vanished
  from mailstore.folder f
  left join lateral (
       select array_agg(uid order by uid) as uids, array_agg(modseq order by uid) as modseqs
         from (select uid, modseq from mailstore.message m
                where m.mailbox_id = $1 and m.folder_id = $2 and m.modseq > $3 and f.highest_modseq > $3
                order by m.modseq offset 0) as m) m on true
  left join lateral (
       select array_agg(uid order by uid) as uids
         from (select uid from mailstore.expunged e
                where e.mailbox_id = $1 and e.folder_id = $2 and e.modseq > $3 and f.highest_modseq > $3 and $4
                order by e.modseq offset 0) as e) e on true
 where f.mailbox_id = $1 and f.folder_id = $2

-- name: modseqs_of
-- The same of messages with UIDs in ranges.
select f.highest_modseq, f.forgotten_modseq, m.uids, m.modseqs, e.uids as vanished
  from mailstore.folder f
  left join lateral (
       select array_agg(m.uid order by m.uid) as uids, array_agg(m.modseq order by m.uid) as modseqs
         from unnest($5::bigint[], $6::bigint[]) as t(low, high)
        cross join lateral (
              select uid, modseq from mailstore.message m
               where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
        where m.modseq > $3) m on true
  left join lateral (
       select array_agg(uid order by uid) as uids
         from (select uid from mailstore.expunged e
                where e.mailbox_id = $1 and e.folder_id = $2 and e.modseq > $3 and f.highest_modseq > $3 and $4
                order by e.modseq offset 0) as e) e on true
 where f.mailbox_id = $1 and f.folder_id = $2

-- name: days
-- The first $4 messages with UIDs above $3, as numbers like those of `snapshot`: the UID and the day of INTERNALDATE in UTC.
select f.folder_id, m.low, m.messages
  from mailstore.folder f
  left join lateral (
       select count(*) as messages, array_send(array_agg((uid << 32)
              | (((internaldate at time zone 'UTC')::date - date '1970-01-01')::bigint & 4294967295) order by uid)) as low
         from (select uid, internaldate from mailstore.message m
                where m.mailbox_id = $1 and m.folder_id = $2 and m.uid > $3 order by m.uid limit $4) as m) m on true
 where f.mailbox_id = $1 and f.folder_id = $2

-- name: take_recent
-- Claims the messages from $3 to before $4 as this session's \Recent ones, unless another session did or others arrived.
update mailstore.folder set recent_from = $4, recent = 0
 where mailbox_id = $1 and folder_id = $2 and recent_from = $3 and uidnext = $4
returning folder_id

-- name: lock_recent
select recent_from from mailstore.folder where mailbox_id = $1 and folder_id = $2 for no key update

-- name: take_recent_before
-- The same although others arrived, which are counted. The folder's row is locked.
update mailstore.folder set recent_from = $4, recent = (
       select count(*) from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and m.uid >= $4)
 where mailbox_id = $1 and folder_id = $2 and recent_from = $3
returning folder_id
