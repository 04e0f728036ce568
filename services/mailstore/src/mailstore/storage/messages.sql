-- name: insert_messages
-- $2: UIDLs of the messages, or of none.
with t as (
    select * from unnest($1::mailstore.new_message[], $2::text[])
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc, message_id, references_, base_subject, derived, from_mailbox,
                                    to_mailbox, cc_mailbox, from_display, to_display)
    select mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject, from_, to_, cc, bcc, message_id,
           references_, base_subject, derived, from_mailbox, to_mailbox, cc_mailbox, from_display, to_display from t
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end,
                               saved_at, sent_at, uidl)
select mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end, saved_at, sent_at, "unnest"
  from t

-- name: store_flags
-- Writes only messages whose flags change, of those with MODSEQ $7 at most, and returns the new MODSEQ only if there are
-- any. $5 is the mask of flags to keep, $6 of those to add. The caller has locked the folder's row.
with f as (
    select highest_modseq + 1 as modseq from mailstore.folder where mailbox_id = $1 and folder_id = $2
), o as (
    select m.mailbox_id, m.folder_id, m.uid, m.flags as old, (m.flags & $5) | $6 as new
      from unnest($3::bigint[], $4::bigint[]) as t(low, high)
     cross join lateral (
           select * from mailstore.message m
            where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
     where (m.flags & $5) | $6 <> m.flags and m.modseq <= $7
), m as (
    update mailstore.message m set flags = o.new, modseq = (select modseq from f)
      from o where m.mailbox_id = o.mailbox_id and m.folder_id = o.folder_id and m.uid = o.uid
)
update mailstore.folder
   set highest_modseq = highest_modseq + 1,
       unseen = unseen + (select coalesce(sum((old & 8)::int - (new & 8)::int) / 8, 0)::int from o)
 where mailbox_id = $1 and folder_id = $2 and exists (select from o) returning highest_modseq

-- name: modified_of
-- The messages with a MODSEQ greater than $5.
select m.uid
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 where m.modseq > $5 order by m.uid

-- name: states_of
select m.uid, m.flags, m.modseq
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 cross join lateral (
       select * from mailstore.message m
        where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high offset 0) as m
 order by m.uid

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
-- $4 source UIDs; $5 their new UIDs, $6 the MODSEQ, $7 their masks and $8 the save date in folder $3.
with t as (
    select * from unnest($4::bigint[], $5::bigint[], $7::bigint[]) as t(old, new, mask)
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc, message_id, references_, base_subject, derived, from_mailbox,
                                    to_mailbox, cc_mailbox, from_display, to_display)
    select r.mailbox_id, $3, t.new, r.envelope, r.body, r.bodystructure, r.parts, r.sent_day, r.subject, r.from_, r.to_,
           r.cc, r.bcc, r.message_id, r.references_, r.base_subject, r.derived, r.from_mailbox, r.to_mailbox, r.cc_mailbox,
           r.from_display, r.to_display
      from t cross join lateral (
           select * from mailstore.rendered r
            where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = t.old offset 0) as r
), s as (
    insert into mailstore.text_signature (mailbox_id, folder_id, uid, signature)
    select s.mailbox_id, $3, t.new, s.signature
      from t cross join lateral (
           select * from mailstore.text_signature s
            where s.mailbox_id = $1 and s.folder_id = $2 and s.uid = t.old offset 0) as s
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, open_end,
                               saved_at, sent_at)
select m.mailbox_id, $3, t.new, m.body_id, m.prefix, m.size, t.mask, $6, m.internaldate, m.open_end, $8, m.sent_at
  from t cross join lateral (
       select * from mailstore.message m where m.mailbox_id = $1 and m.folder_id = $2 and m.uid = t.old offset 0) as m
returning body_id

-- name: deleted_uids
-- Uses an index of such messages (schema.py).
select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 and flags & 4 <> 0 order by uid

-- name: expunge
-- Removes messages, leaves tombstones for sessions that still have them in view, subtracts the usage. Returns the UIDs
-- and bodies removed. $6: they can be undeleted, as having been in the folder named $7. $8 octets are charged for each of these, and
-- $9 of them are kept: with more, `recoverable_since` becomes -infinity, which has upkeep drop the oldest (recoverable.sql).
with d as (
    delete from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
    returning uid, body_id, prefix, size, flags, internaldate, open_end
), r as (
    delete from mailstore.rendered where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
), e as (
    insert into mailstore.expunged (mailbox_id, folder_id, uid, modseq, at)
    select $1, $2, uid, $4, $5 from d
), k as (
    insert into mailstore.recoverable (mailbox_id, number, at, folder_id, folder, body_id, prefix, size, flags, internaldate, open_end)
    select $1, b.recoverable_last + row_number() over (order by d.uid), $5, $2, $7, d.body_id, d.prefix, d.size, d.flags,
           d.internaldate, d.open_end
      from d cross join (select recoverable_last from mailstore.mailbox where id = $1) as b
     where $6
), f as (
    update mailstore.folder
       set messages = messages - (select count(*) from d), octets = octets - (select coalesce(sum(size), 0) from d),
           unseen = unseen - (select count(*) from d where flags & 8 = 0),
           recent = greatest(recent - (select count(*) filter (where d.uid >= recent_from) from d), 0)
     where mailbox_id = $1 and folder_id = $2
), u as (
    update mailstore.mailbox b
       set usage = b.usage - t.octets, recoverable_last = b.recoverable_last + t.kept,
           recoverable_messages = b.recoverable_messages + t.kept, recoverable_octets = b.recoverable_octets + t.kept_octets,
           recoverable_since = case
               when t.kept = 0 then b.recoverable_since
               when b.recoverable_messages + t.kept > $9::bigint or b.limit_version > 0 and b.quota_limit
                    < b.recoverable_octets + t.kept_octets + (b.recoverable_messages + t.kept) * $8::bigint then '-infinity'
               else coalesce(b.recoverable_since, $5) end
      from (select coalesce(sum(size), 0)::bigint as octets, case when $6 then count(*) else 0 end as kept,
                   case when $6 then coalesce(sum(size), 0)::bigint else 0 end as kept_octets from d) as t
     where b.id = $1
)
select uid, body_id from d order by uid

-- name: drop_signatures
-- After the messages are gone (signatures.sql).
delete from mailstore.text_signature where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])

-- name: references
-- One statement, so that a message that is deleted or undeleted meanwhile is found in one of the two.
select body_id from mailstore.message where body_id = any($1::uuid[])
union
select body_id from mailstore.recoverable where body_id = any($1::uuid[])
