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
-- $columns is replaced by the columns asked for (fetch.py), in the order in which a row is sent. Here and elsewhere,
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
-- The first rows with the columns rendered at filing, until they weigh $6 octets; the row that reaches it is the last. They
-- end before the first row of more than BIG octets (fetch.py).
select $columns
  from (select m.uid, m.size, m.internaldate, m.saved_at, m.body_id, m.prefix, r.envelope, r.body, r.bodystructure, r.weight,
               sum(r.weight) over (order by m.uid) as total, max(r.weight) over (order by m.uid) as heaviest
          from mailstore.message m
         cross join lateral (
               select *, octet_length(envelope) + octet_length(body) + octet_length(bodystructure) as weight
                 from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.uid = m.uid offset 0) as r
         where m.mailbox_id = $1 and m.folder_id = $2 and m.uid between $3 and $4 order by m.uid limit $5) as m
 where total - weight < $6 and heaviest <= 65536 order by m.uid

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
