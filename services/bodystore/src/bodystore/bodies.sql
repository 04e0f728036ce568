-- name: put
-- Bodies, their chunks and a collection candidate each, in one statement: nothing is ever without a candidate.
with b as (
    insert into bodies.body (id, size, created_at)
    select id, size, $7 from unnest($1::uuid[], $2::bigint[]) as t(id, size)
), k as (
    insert into bodies.candidate (id, body_id, due)
    select id, body_id, $8 from unnest($6::uuid[], $1::uuid[]) as t(id, body_id)
)
insert into bodies.chunk (body_id, n, data)
select body_id, n, data from unnest($3::uuid[], $4::int[], $5::bytea[]) as t(body_id, n, data)

-- name: chunks
-- All chunks of some bodies; a body marked for deletion is not there.
select c.body_id, c.data
  from bodies.chunk c join bodies.body b on b.id = c.body_id
 where c.body_id = any($1::uuid[]) and b.marked_at is null
 order by c.body_id, c.n

-- name: span
-- Some neighbouring chunks of one body: a part is read without the rest.
select data from bodies.chunk where body_id = $1 and n between $2 and $3 order by n

-- name: note
-- A reference to these bodies went: each gets a candidate row of its own.
insert into bodies.candidate (id, body_id, due)
select id, body_id, $3 from unnest($1::uuid[], $2::uuid[]) as t(id, body_id)

-- name: due_candidates
select id, body_id from bodies.candidate where due <= $1 order by due limit $2

-- name: mark
update bodies.body set marked_at = $2 where id = any($1::uuid[]) returning id

-- name: unmark
update bodies.body set marked_at = null where id = any($1::uuid[])

-- name: delete
with c as (delete from bodies.chunk where body_id = any($1::uuid[]))
delete from bodies.body where id = any($1::uuid[]) and marked_at is not null

-- name: clear
delete from bodies.candidate where id = any($1::uuid[])
