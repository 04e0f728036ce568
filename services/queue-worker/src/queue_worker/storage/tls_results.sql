-- name: add
insert into queue.tls_result as r (day, domain, policy, record, failure, host, address, strings, mx, source, sessions)
select * from unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[])
 where (select count(*) from (select from queue.tls_result limit $12) as known) < $12
    on conflict (day, domain, policy, record, failure, host, address) do update
   set sessions = r.sessions + excluded.sessions, strings = excluded.strings, mx = excluded.mx, source = excluded.source

-- name: finished
select distinct day, domain from queue.tls_result where day < $1 and (day, domain) > ($2, $3) order by day, domain limit $4

-- name: of_domain
select day, domain, policy, record, failure, host, address, strings, mx, source, sessions
  from queue.tls_result where day = $1 and domain = $2 order by policy, record, sessions desc limit $3

-- name: remove
delete from queue.tls_result where day = $1 and domain = $2
