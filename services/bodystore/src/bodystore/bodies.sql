-- name: put
-- Bodies, their chunks and a collection candidate each, in one statement: nothing is ever without a candidate. `put_with`
-- lets another statement take the place of the last line.
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
-- All chunks of some bodies. Marks are not looked at: the collector marks, looks again and may take the mark back.
select body_id, data from bodies.chunk where body_id = any($1::uuid[]) order by body_id, n

-- name: pin
-- These bodies may get their first reference; until the transaction ends they cannot be marked. One that is being marked
-- right now is left out: there is no wait for the collector.
select id from bodies.body where id = any($1::uuid[]) and marked_at is null order by id for share skip locked

-- name: heads
select body_id, data from bodies.chunk where body_id = any($1::uuid[]) and n = 0

-- name: sizes
select id, size from bodies.body where id = any($1::uuid[])

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
-- $2 is this round's token: what is done about a mark names the mark.
update bodies.body set marked_at = $2 where id = any($1::uuid[]) returning id

-- name: unmark
update bodies.body set marked_at = null where id = any($1::uuid[]) and marked_at = $2

-- name: delete
with b as (
    delete from bodies.body where id = any($1::uuid[]) and marked_at = $2 returning id
), c as (
    delete from bodies.chunk c using b where c.body_id = b.id
)
select id from b

-- name: clear
delete from bodies.candidate where id = any($1::uuid[])
