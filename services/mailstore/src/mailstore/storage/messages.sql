-- name: store_flags
-- Writes only messages whose flags change, and returns the new MODSEQ only if there are any. $5 is the mask of flags to
-- keep, $6 of those to add. The caller has locked the folder's row.
with f as (
    select highest_modseq + 1 as modseq from mailstore.folder where mailbox_id = $1 and folder_id = $2
), o as (
    select m.mailbox_id, m.folder_id, m.uid, m.flags as old, (m.flags & $5) | $6 as new
      from unnest($3::bigint[], $4::bigint[]) as t(low, high)
     cross join lateral (
           select * from mailstore.message m
            where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
     where (m.flags & $5) | $6 <> m.flags
), m as (
    update mailstore.message m set flags = o.new, modseq = (select modseq from f)
      from o where m.mailbox_id = o.mailbox_id and m.folder_id = o.folder_id and m.uid = o.uid
)
update mailstore.folder
   set highest_modseq = highest_modseq + 1,
       unseen = unseen + (select coalesce(sum((old & 8)::int - (new & 8)::int) / 8, 0)::int from o)
 where mailbox_id = $1 and folder_id = $2 and exists (select from o) returning highest_modseq

-- name: flags_of
select m.uid, m.flags
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 order by m.uid

-- name: totals_of
-- What a COPY will add; the caller has locked the folder's row, so the messages do not change.
select count(*) as messages, coalesce(sum(m.size), 0)::bigint as octets, coalesce(bit_or(m.flags), 0) as flags,
       count(*) filter (where m.flags & 8 = 0) as unseen
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m

-- name: copy_messages
-- $4 source UIDs; $5 their new UIDs, $6 the MODSEQ and $7 their masks in folder $3.
with t as (
    select * from unnest($4::bigint[], $5::bigint[], $7::bigint[]) as t(old, new, mask)
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc)
    select r.mailbox_id, $3, t.new, r.envelope, r.body, r.bodystructure, r.parts, r.sent_day, r.subject, r.from_, r.to_,
           r.cc, r.bcc
      from t cross join lateral (
           select * from mailstore.rendered r
            where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = t.old offset 0) as r
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end)
select m.mailbox_id, $3, t.new, m.body_id, m.prefix, m.size, t.mask, $6, m.internaldate, m.open_end
  from t cross join lateral (
       select * from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and m.uid = t.old offset 0) as m

-- name: deleted_uids
-- Uses an index of such messages (schema.py).
select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 and flags & 4 <> 0 order by uid

-- name: expunge
-- Removes messages, leaves tombstones for sessions that still have them in view, subtracts the usage. Returns the UIDs
-- and bodies removed.
with d as (
    delete from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
    returning uid, body_id, size, flags
), r as (
    delete from mailstore.rendered where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
), e as (
    insert into mailstore.expunged (mailbox_id, folder_id, uid, modseq, at)
    select $1, $2, uid, $4, $5 from d
), f as (
    update mailstore.folder
       set messages = messages - (select count(*) from d), octets = octets - (select coalesce(sum(size), 0) from d),
           unseen = unseen - (select count(*) from d where flags & 8 = 0)
     where mailbox_id = $1 and folder_id = $2
), u as (
    update mailstore.mailbox set usage = usage - (select coalesce(sum(size), 0) from d) where id = $1
)
select uid, body_id from d order by uid

-- name: weights
-- Sizes of rows and messages, from the lengths alone: a value in TOAST is not read for it.
select m.uid, m.size,
       octet_length(r.envelope) + octet_length(r.body) + octet_length(r.bodystructure) + octet_length(r.parts) as weight
  from mailstore.message m
 cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5

-- name: weights_some
select m.uid, m.size,
       octet_length(r.envelope) + octet_length(r.body) + octet_length(r.bodystructure) + octet_length(r.parts) as weight
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 order by m.uid limit $5

-- name: fetch
-- $columns is replaced by the columns asked for (reading/fetch.py), in the order in which a row is sent. Here and elsewhere,
-- `offset 0` keeps the planner from joining by half a key, which costs the same while the tables are empty.
select $columns
  from mailstore.message m
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5

-- name: fetch_wide
-- The same with the columns rendered at filing.
select $columns
  from mailstore.message m
 cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5

-- name: has_big_rows
-- Answered by an index of the few such rows (schema.py).
select exists (
    select from mailstore.rendered where mailbox_id = $1 and folder_id = $2 and uid between $3 and $4
       and octet_length(envelope) + octet_length(body) + octet_length(bodystructure) > 65536)

-- name: fetch_cut
-- The first rows with the columns rendered at filing, until they weigh $6 octets; the row that reaches it is the last.
select $columns
  from (select m.uid, m.size, m.internaldate, r.envelope, r.body, r.bodystructure,
               octet_length(r.envelope) + octet_length(r.body) + octet_length(r.bodystructure) as weight,
               sum(octet_length(r.envelope) + octet_length(r.body) + octet_length(r.bodystructure)) over (order by m.uid) as total
          from mailstore.message m
         cross join lateral (
               select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
         where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5) as m
 where total - weight < $6 order by m.uid

-- name: fetch_some
-- The same for several short ranges, of at most $5 messages together.
select $columns
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 order by m.uid limit $5

-- name: fetch_some_wide
select $columns
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 cross join lateral (
       select * from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
 order by m.uid limit $5

-- name: some_messages
select uid, body_id, prefix, size from mailstore.message
 where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])

-- name: one_message
select m.body_id, m.prefix, m.size, r.parts
  from mailstore.message m
  join mailstore.rendered r on r.mailbox_id = m.mailbox_id and r.folder_id = m.folder_id and r.uid = m.uid
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid = $3
