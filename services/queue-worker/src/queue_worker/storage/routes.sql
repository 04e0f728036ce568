-- name: routes
-- Without passwords, above kind $1 and value $2.
select kind, value, host, port, tls, username, source_address, helo, pool, changed_at
  from queue.route where (kind, value) > ($1, $2) order by kind, value limit $3

-- name: all_routes
select kind, value, host, port, tls, username, password, source_address, helo, pool from queue.route order by kind, value limit $1

-- name: routes_mark
-- What the routes are, in one word: it changes when one does.
select coalesce(md5(string_agg(kind || ' ' || value || ' ' || changed_at, ',' order by kind, value)), '') from queue.route

-- name: put_route
-- Set a route, unless there are $12 others already.
insert into queue.route (kind, value, host, port, tls, username, password, source_address, helo, pool, changed_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
 where (select count(*) from (select from queue.route where (kind, value) <> ($1, $2) order by kind, value limit $12) r) < $12
on conflict (kind, value) do update
   set host = excluded.host, port = excluded.port, tls = excluded.tls, username = excluded.username, password = excluded.password,
       source_address = excluded.source_address, helo = excluded.helo, pool = excluded.pool,
       changed_at = excluded.changed_at
returning kind, value, host, port, tls, username, source_address, helo, pool, changed_at

-- name: delete_route
delete from queue.route where kind = $1 and value = $2
returning kind, value, host, port, tls, username, source_address, helo, pool, changed_at
