-- name: note
-- Count hard bounces; one after the others were forgotten is the first again.
insert into queue.suppression as s (address, flow, bounces, status, reply, since, expires)
select address, flow, bounces, status, reply, $6, $7
  from unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::text[]) as t(address, flow, bounces, status, reply)
    on conflict (address, flow) do update
   set bounces = case when s.expires > $6 then s.bounces else 0 end + excluded.bounces,
       since = case when s.expires > $6 then s.since else excluded.since end,
       status = excluded.status, reply = excluded.reply, expires = excluded.expires

-- name: suppressed
-- Those of the addresses $1 with flows $2 that have $3 bounces or more.
select s.address, s.flow, s.bounces, s.status, s.reply, s.since, s.expires
  from unnest($1::text[], $2::uuid[]) as t(address, flow)
  join queue.suppression s on s.address = t.address and s.flow = t.flow
 where s.bounces >= $3 and s.expires > $4

-- name: page
select address, flow, bounces, status, reply, since, expires from queue.suppression
 where (address, flow) > ($1, $2::uuid) and ($3::text is null or address = $3) and bounces >= $4 and expires > $5
 order by address, flow limit $6

-- name: remove
delete from queue.suppression where address = $1 and ($2::uuid is null or flow = $2) returning 1

-- name: forget_expired
delete from queue.suppression where expires <= $1 returning 1

-- name: forget_surplus
-- Of more than $1 rows, those that expire first.
delete from queue.suppression where (address, flow) in (
    select address, flow from queue.suppression order by expires desc offset $1) returning 1
