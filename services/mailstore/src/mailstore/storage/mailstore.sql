-- name: lock_mailboxes
-- Always in the order of ids, so that two transactions never wait for each other in a circle.
select id as mailbox_id, usage, quota_limit, limit_version, purged_at from mailstore.mailbox as m
 where id = any($1::uuid[]) order by id for update

-- name: make_mailboxes
-- $1 mailbox ids; $2 names and $3 special uses of the folders every mailbox has; $4 their UIDVALIDITY.
with new as (
    insert into mailstore.mailbox (id, next_folder_id)
    select mailbox_id, cardinality($2::text[]) + 1 from unnest($1::uuid[]) as t(mailbox_id) order by 1
    on conflict (id) do nothing returning id as mailbox_id
), s as (
    insert into mailstore.subscription (mailbox_id, name)
    select mailbox_id, name from new cross join unnest($2::text[]) as f(name) on conflict do nothing
)
insert into mailstore.folder (mailbox_id, folder_id, name, special_use, uidvalidity)
select mailbox_id, n, name, special_use, $4 from new cross join unnest($2::text[], $3::text[]) with ordinality as f(name, special_use, n)

-- name: sizes
-- For "is there room?": what is used, and the highest limit known.
select id as mailbox_id, usage, quota_limit, limit_version, purged_at is not null as purged
  from mailstore.mailbox where id = any($1::uuid[])

-- name: known_filed
select queue_id, mailbox_id from mailstore.filed
 where (queue_id, mailbox_id) in (select * from unnest($1::uuid[], $2::uuid[]))

-- name: take_uids
-- UIDs and one MODSEQ per folder for $3 new messages each; answers the first UID.
update mailstore.folder f set uidnext = f.uidnext + t.n, highest_modseq = f.highest_modseq + 1
  from unnest($1::uuid[], $2::int[], $3::int[]) as t(mailbox_id, folder_id, n)
 where f.mailbox_id = t.mailbox_id and f.folder_id = t.folder_id
returning f.mailbox_id, f.folder_id, f.uidnext - t.n as first_uid, f.highest_modseq as modseq, f.uidvalidity, f.keywords

-- name: insert_messages
with t as (
    select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::uuid[], $5::bytea[], $6::bigint[], $7::bigint[],
                         $8::bigint[], $9::timestamptz[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[],
                         $14::date[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[])
        as t(mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate, envelope, body,
             bodystructure, parts, sent_day, subject, from_, to_, cc, bcc)
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc)
    select mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject, from_, to_, cc, bcc from t
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate)
select mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate from t

-- name: insert_filed
insert into mailstore.filed (queue_id, mailbox_id) select * from unnest($1::uuid[], $2::uuid[])

-- name: add_usage
-- $2 octets more (or fewer) and the highest limit seen.
update mailstore.mailbox m set usage = m.usage + t.added,
       quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
       limit_version = greatest(m.limit_version, t.limit_version)
  from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[]) as t(mailbox_id, added, quota_limit, limit_version)
 where m.id = t.mailbox_id

-- name: notify
select pg_notify('postrider_mailboxes', payload) from unnest($1::text[]) as t(payload)

-- name: references
select distinct body_id from mailstore.message where body_id = any($1::uuid[])

-- name: list_folders
select f.*, coalesce(m.messages, 0) as messages, coalesce(m.unseen, 0) as unseen, coalesce(m.size, 0)::bigint as size,
       coalesce(m.recent, 0) as recent, s.name is not null as subscribed
  from mailstore.folder f
  left join lateral (
       select count(*) as messages, count(*) filter (where flags & 8 = 0) as unseen, sum(size) as size,
              count(*) filter (where uid >= f.recent_from) as recent
         from mailstore.message m where m.mailbox_id = f.mailbox_id and m.folder_id = f.folder_id) m on true
  left join mailstore.subscription s on s.mailbox_id = f.mailbox_id and s.name = f.name
 where f.mailbox_id = $1 order by f.name

-- name: lost_subscriptions
-- Names that are subscribed and do not exist (RFC 3501 6.3.9).
select s.name from mailstore.subscription s
 where s.mailbox_id = $1 and not exists (
       select from mailstore.folder f where f.mailbox_id = $1 and f.name = s.name)

-- name: folder_named
select * from mailstore.folder where mailbox_id = $1 and name = $2

-- name: lock_folder
select * from mailstore.folder where mailbox_id = $1 and folder_id = $2 for update

-- name: lock_folder_named
select * from mailstore.folder where mailbox_id = $1 and name = $2 for update

-- name: count_folders
select count(*) from mailstore.folder where mailbox_id = $1

-- name: make_folder
with m as (
    update mailstore.mailbox set next_folder_id = next_folder_id + 1 where id = $1 returning id as mailbox_id, next_folder_id - 1 as n
)
insert into mailstore.folder (mailbox_id, folder_id, name, uidvalidity) select mailbox_id, n, $2, $3 from m returning folder_id

-- name: rename_folder
update mailstore.folder set name = $3 where mailbox_id = $1 and folder_id = $2

-- name: drop_folder
delete from mailstore.folder where mailbox_id = $1 and folder_id = $2

-- name: drop_folder_tombstones
delete from mailstore.expunged where mailbox_id = $1 and folder_id = $2

-- name: subscribe
insert into mailstore.subscription (mailbox_id, name) values ($1, $2) on conflict do nothing

-- name: unsubscribe
delete from mailstore.subscription where mailbox_id = $1 and name = $2

-- name: take_recent
update mailstore.folder set recent_from = uidnext where mailbox_id = $1 and folder_id = $2 and recent_from < uidnext

-- name: snapshot
select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 order by uid

-- name: changed
select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 and modseq > $3 order by uid

-- name: vanished
select uid from mailstore.expunged where mailbox_id = $1 and folder_id = $2 and modseq > $3 order by uid

-- name: new_modseq
update mailstore.folder set highest_modseq = highest_modseq + 1 where mailbox_id = $1 and folder_id = $2
returning highest_modseq

-- name: set_keywords
update mailstore.folder set keywords = $3 where mailbox_id = $1 and folder_id = $2

-- name: store_flags
-- Only messages whose flags become different are written. $6 keeps, $7 adds.
update mailstore.message m set flags = (m.flags & $6) | $7, modseq = $5
  from unnest($3::bigint[], $4::bigint[]) as t(low, high)
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high and (m.flags & $6) | $7 <> m.flags

-- name: flags_of
select m.uid, m.flags from unnest($3::bigint[], $4::bigint[]) as t(low, high)
  join mailstore.message m on m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high
 order by m.uid

-- name: messages_of
select m.* from unnest($3::bigint[], $4::bigint[]) as t(low, high)
  join mailstore.message m on m.mailbox_id = $1 and m.folder_id = $2 and m.uid between t.low and t.high
 order by m.uid

-- name: copy_messages
-- $4 source uids, $5 their new uids in folder $3, $6 the modseq there, $7 their masks there.
with t as (
    select * from unnest($4::bigint[], $5::bigint[], $7::bigint[]) as t(old, new, mask)
), r as (
    insert into mailstore.rendered (mailbox_id, folder_id, uid, envelope, body, bodystructure, parts, sent_day, subject,
                                    from_, to_, cc, bcc)
    select r.mailbox_id, $3, t.new, r.envelope, r.body, r.bodystructure, r.parts, r.sent_day, r.subject, r.from_, r.to_,
           r.cc, r.bcc
      from t join mailstore.rendered r on r.mailbox_id = $1 and r.folder_id = $2 and r.uid = t.old
)
insert into mailstore.message (mailbox_id, folder_id, uid, body_id, prefix, size, flags, modseq, internaldate)
select m.mailbox_id, $3, t.new, m.body_id, m.prefix, m.size, t.mask, $6, m.internaldate
  from t join mailstore.message m on m.mailbox_id = $1 and m.folder_id = $2 and m.uid = t.old

-- name: deleted_uids
select uid, flags from mailstore.message where mailbox_id = $1 and folder_id = $2 and flags & 4 <> 0 order by uid

-- name: expunge
-- Messages leave; tombstones stay (sessions that have not heard of it), usage shrinks. Answers what went.
with d as (
    delete from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
    returning uid, body_id, size
), r as (
    delete from mailstore.rendered where mailbox_id = $1 and folder_id = $2 and uid = any($3::bigint[])
), e as (
    insert into mailstore.expunged (mailbox_id, folder_id, uid, modseq, at)
    select $1, $2, uid, $4, $5 from d
), u as (
    update mailstore.mailbox set usage = usage - (select coalesce(sum(size), 0) from d) where id = $1
)
select uid, body_id from d order by uid

-- name: take_folder_messages
-- A folder goes: its messages with it, without tombstones. Answers the bodies.
with d as (
    delete from mailstore.message where mailbox_id = $1 and folder_id = $2 returning body_id, size
), r as (
    delete from mailstore.rendered where mailbox_id = $1 and folder_id = $2
), u as (
    update mailstore.mailbox set usage = usage - (select coalesce(sum(size), 0) from d) where id = $1
)
select body_id from d

-- name: fetch_narrow
select uid, size, extract(epoch from internaldate)::bigint as internaldate, body_id, prefix
  from mailstore.message where mailbox_id = $1 and folder_id = $2 and uid between $3 and $4 order by uid limit $5

-- name: fetch_wide
select m.uid, m.size, extract(epoch from m.internaldate)::bigint as internaldate, m.body_id, m.prefix, r.envelope, r.body,
       r.bodystructure, r.parts
  from mailstore.message m
  join mailstore.rendered r on r.mailbox_id = m.mailbox_id and r.folder_id = m.folder_id and r.uid = m.uid
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5

-- name: known_operation
select answer from mailstore.operation where mailbox_id = $1 and id = $2

-- name: remember_operation
insert into mailstore.operation (mailbox_id, id, answer, made_at) values ($1, $2, $3, $4)

-- name: take_maildrop
-- The POP3 lock: free, run out, or ours already.
insert into mailstore.maildrop_lease as l (mailbox_id, session_id, until) values ($1, $2, $4)
on conflict (mailbox_id) do update set session_id = excluded.session_id, until = excluded.until
 where l.until < $3 or l.session_id = excluded.session_id
returning mailbox_id

-- name: maildrop_messages
select uid, size from mailstore.message where mailbox_id = $1 and folder_id = 1 order by uid

-- name: renew_maildrops
update mailstore.maildrop_lease l set until = $4
  from unnest($1::uuid[], $2::uuid[]) as t(mailbox_id, session_id)
 where l.mailbox_id = t.mailbox_id and l.session_id = t.session_id and l.until > $3
returning l.mailbox_id, l.session_id

-- name: free_maildrop
-- Answers nothing when the lock was lost.
delete from mailstore.maildrop_lease where mailbox_id = $1 and session_id = $2 and until > $3 returning mailbox_id

-- name: one_message
select m.body_id, m.prefix, m.size, r.parts
  from mailstore.message m
  join mailstore.rendered r on r.mailbox_id = m.mailbox_id and r.folder_id = m.folder_id and r.uid = m.uid
 where m.mailbox_id = $1 and m.folder_id = $2 and m.uid = $3

-- name: mark_purged
insert into mailstore.mailbox as m (id, purged_at) values ($1, $2)
on conflict (id) do update set purged_at = coalesce(m.purged_at, excluded.purged_at)
returning id as mailbox_id

-- name: purge_slice
with v as (
    select folder_id, uid from mailstore.message where mailbox_id = $1 limit $2
), d as (
    delete from mailstore.message m using v
     where m.mailbox_id = $1 and m.folder_id = v.folder_id and m.uid = v.uid returning m.body_id, m.size
), r as (
    delete from mailstore.rendered r using v where r.mailbox_id = $1 and r.folder_id = v.folder_id and r.uid = v.uid
), u as (
    update mailstore.mailbox set usage = usage - (select coalesce(sum(size), 0) from d) where id = $1
)
select body_id from d

-- name: purge_rest
with f as (delete from mailstore.folder where mailbox_id = $1),
     s as (delete from mailstore.subscription where mailbox_id = $1),
     e as (delete from mailstore.expunged where mailbox_id = $1),
     o as (delete from mailstore.operation where mailbox_id = $1)
delete from mailstore.maildrop_lease where mailbox_id = $1

-- name: forget_operations
delete from mailstore.operation where made_at < $1

-- name: forget_tombstones
with d as (
    delete from mailstore.expunged where at < $1 returning mailbox_id, folder_id, modseq
), g as (
    select mailbox_id, folder_id, max(modseq) as modseq from d group by 1, 2
)
update mailstore.folder f set forgotten_modseq = greatest(f.forgotten_modseq, g.modseq)
  from g where f.mailbox_id = g.mailbox_id and f.folder_id = g.folder_id

-- name: hold_singleton
insert into mailstore.singleton as s (name, holder, fence, until) values ($1, $2, 1, $4)
on conflict (name) do update
   set holder = excluded.holder, until = excluded.until,
       fence = s.fence + case when s.holder = excluded.holder then 0 else 1 end
 where s.holder = excluded.holder or s.until < $3
returning fence

-- name: list_one
select keywords from mailstore.folder where mailbox_id = $1 and folder_id = $2
