-- name: add
insert into auth.event (id, at, kind, address, mailbox_id, detail) values ($1, $2, $3, $4, $5, $6)

-- name: note_logins
-- Rows of app passwords in key order: two replicas cannot deadlock.
with q as (
    select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[])
        as q (id, mailbox_id, at, address, client, protocol, detail, app)
), used as (
    select p.number, l.at, l.client
      from auth.app_passwords p
      join (select distinct on (app) app, at, client from q where app > 0 order by app, at desc) l on l.app = p.number
     order by p.number
       for no key update of p
), noted as (
    update auth.app_passwords p set last_used_at = u.at, last_used_from = u.client
      from used u
     where p.number = u.number and (p.last_used_at is null or p.last_used_at < u.at)
)
insert into auth.event (id, mailbox_id, at, address, client, protocol, detail, kind)
select id, mailbox_id, at, address, client, protocol, detail, 'login' from q
    on conflict (id) do nothing

-- name: window_start
-- The $4-th event before $2 and after $1, of the address $3 if one is given; no row if there are fewer.
select id from auth.event where id > $1 and id < $2 and ($3::text is null or address = $3) order by id desc offset $4 - 1 limit 1

-- name: within
-- Events between $1 and $2, the latest first, of address $3 and client $4.
select id, at, kind as event, address, mailbox_id, client, protocol, detail from auth.event
 where id > $1 and id < $2 and ($3::text is null or address = $3) and ($4::text is null or client = $4)
 order by id desc limit $5

-- name: exists
select to_regclass($1) is not null

-- name: partitions
-- The days that have a partition.
select to_date(right(c.relname, 8), 'YYYYMMDD') as day
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
 where i.inhparent = 'auth.event'::regclass and c.relname <> 'event_rest'

-- name: make
select auth.make_event_partition($1, $2, $3)

-- name: drop
select auth.drop_event_partition($1)

-- name: empty_rest
delete from auth.event_rest where id < $1
