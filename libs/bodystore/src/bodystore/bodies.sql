-- name: put
-- Store bodies, their chunks and a collection candidate each in one statement, so that no body is ever without a
-- candidate. `SameDatabase` puts the three parts in front of another statement instead of the last line.
with b as (
    insert into bodies.body (id, size, created_at)
    select id, size, $7 from unnest($1::uuid[], $2::bigint[]) as t(id, size)
), k as (
    insert into bodies.candidate (id, body_id, due)
    select id, body_id, $8 from unnest($6::uuid[], $1::uuid[]) as t(id, body_id)
), c as (
    insert into bodies.chunk (body_id, n, data)
    select body_id, n, data from unnest($3::uuid[], $4::int[], $5::bytea[]) as t(body_id, n, data)
)
select

-- name: chunks
-- All chunks of some bodies. Marks are ignored: the collector marks, checks again and may remove the mark.
select body_id, data from bodies.chunk where body_id = any($1::uuid[]) order by body_id, n

-- name: pin
-- Those of these bodies that may get a reference; until the transaction ends they cannot be marked. One that is being
-- marked at the moment is left out, so as not to wait for the collector.
select id from bodies.body where id = any($1::uuid[]) and marked_at is null order by id for share skip locked

-- name: heads
select body_id, data from bodies.chunk where body_id = any($1::uuid[]) and n = 0

-- name: sizes
select id, size from bodies.body where id = any($1::uuid[])

-- name: span
-- Consecutive chunks of one body, to read a part without the rest.
select data from bodies.chunk where body_id = $1 and n between $2 and $3 order by n

-- name: note
-- Add a candidate row for each of these bodies, which lose a reference.
insert into bodies.candidate (id, body_id, due)
select id, body_id, $3 from unnest($1::uuid[], $2::uuid[]) as t(id, body_id)

-- name: erase
update bodies.body set erased = true where id = any($1::uuid[])

-- name: rewrite
update bodies.pack set rewrite_at = $2
 where id in (select pack from bodies.packed where body_id = any($1::uuid[]))

-- name: due_candidates
select id, body_id from bodies.candidate where due <= $1 order by due limit $2

-- name: mark
-- $2 is the token of this round, which `unmark` and `delete` name.
update bodies.body set marked_at = $2 where id = any($1::uuid[]) returning id

-- name: unmark
update bodies.body set marked_at = null where id = any($1::uuid[]) and marked_at = $2

-- name: hold
select id from bodies.body where id = any($1::uuid[]) and marked_at = $2 order by id for update

-- name: delete
with b as (
    delete from bodies.body where id = any($1::uuid[]) and marked_at = $2 returning id
), c as (
    delete from bodies.chunk c using b where c.body_id = b.id
), p as (
    delete from bodies.packed p using b where p.body_id = b.id returning p.pack, p.octets
), less as (
    update bodies.pack k set live = k.live - p.octets
      from (select pack, sum(octets) as octets from p group by pack) p where k.id = p.pack
)
select id from b

-- name: clear
delete from bodies.candidate where id = any($1::uuid[])

-- name: older
select id from bodies.body where id > $1 and created_at < $2 order by id limit $3

-- name: candidates_of
select distinct body_id from bodies.candidate where body_id = any($1::uuid[])
