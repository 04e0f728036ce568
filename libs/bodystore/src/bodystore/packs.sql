-- name: places
select body_id, pack, at, lengths from bodies.packed where body_id = any($1::uuid[])

-- name: any
select exists (select from bodies.packed)

-- name: movable
-- The oldest bodies older than $1 that are in the database, with their stored octets; octet_length reads no chunk.
select c.body_id, sum(octet_length(c.data))::bigint as octets
  from bodies.chunk c join bodies.body b on b.id = c.body_id
 where c.body_id < $1 and b.marked_at is null and not b.erased
 group by c.body_id order by c.body_id limit $2

-- name: stored
select body_id, data from bodies.chunk where body_id = any($1::uuid[]) order by body_id, n

-- name: begin
insert into bodies.pack (id, made_at) values ($1, $2)

-- name: unfinished
-- The pack of $1 while its object is being written; not once it was given up.
select id from bodies.pack where id = $1 and size is null for update

-- name: alive
-- Those of these bodies that stay; the collector and an erasure wait for the end of the transaction.
select id from bodies.body where id = any($1::uuid[]) and marked_at is null and not erased order by id for share

-- name: keep
-- Have the collector wait for the end of the transaction.
select id from bodies.body where id = any($1::uuid[]) order by id for share

-- name: enter
-- Refer to the pack, and drop the chunks of the bodies that now do; returns their stored octets.
with p as (
    insert into bodies.packed (body_id, pack, at, octets, lengths)
    select body_id, $1, at, octets, lengths
      from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bytea[]) as t(body_id, at, octets, lengths)
        on conflict (body_id) do nothing
    returning body_id, octets
), c as (
    delete from bodies.chunk c using p where c.body_id = p.body_id
)
select octets from p

-- name: finish
update bodies.pack set size = $2, live = $3, dead_at = case when $3::bigint = 0 then $4::timestamptz end where id = $1

-- name: sparse
-- Packs of which less than half is live, or that hold octets of erased mail that is collected by now.
select id, live from bodies.pack k
 where dead_at is null and (live * 2 < size or rewrite_at is not null)
   and (rewrite_at is null
        or (rewrite_at <= $1 and not exists (
            select from bodies.packed p join bodies.body b on b.id = p.body_id where p.pack = k.id and b.erased)))
 order by id limit $2

-- name: held
select body_id, at, lengths from bodies.packed where pack = $1 order by at

-- name: change
-- Refer to another pack; returns the octets that left each old one.
with p as (
    update bodies.packed p set pack = $1, at = t.at
      from unnest($2::uuid[], $3::uuid[], $4::bigint[]) as t(body_id, old, at)
     where p.body_id = t.body_id and p.pack = t.old
    returning t.old, p.octets
)
select old, sum(octets)::bigint as octets from p group by old order by old

-- name: lessen
update bodies.pack set live = live - $2 where id = $1

-- name: end
-- A pack without live bodies is dead from $2 on.
update bodies.pack set dead_at = $2
 where id = any($1::uuid[]) and dead_at is null and size is not null
   and not exists (select from bodies.packed p where p.pack = pack.id)
returning id

-- name: empty
-- The second condition follows from the first; it is that of the index.
select id from bodies.pack
 where dead_at is null and (live * 2 < size or rewrite_at is not null) and live = 0 and size is not null
 order by id limit $1

-- name: removable
-- Objects of dead packs after the time for restores, $2 (of erased mail: $3), and what an interrupted move left, $1.
(select id from bodies.pack where size is null and made_at <= $1 order by made_at limit $4)
union all
(select id from bodies.pack where dead_at <= $3 and (rewrite_at is not null or dead_at <= $2) order by dead_at limit $4)

-- name: give_up
-- No longer to be finished: the row stays until the object is deleted.
update bodies.pack set size = 0, dead_at = $2, rewrite_at = $2 where id = any($1::uuid[]) and size is null

-- name: remove
delete from bodies.pack where id = any($1::uuid[]) and dead_at is not null

-- name: figures
select count(*) as packs, coalesce(sum(size), 0)::bigint as octets, coalesce(sum(live), 0)::bigint as live from bodies.pack
