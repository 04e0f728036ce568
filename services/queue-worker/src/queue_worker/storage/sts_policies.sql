-- name: policy
-- The policy of $1 if it is in force; `unused` for a day or more.
select domain, id, mode, mx, max_age, expires, used_at < $2::timestamptz - interval '1 day' as unused
  from queue.sts_policy where domain = $1 and expires > $2::timestamptz

-- name: note_use
update queue.sts_policy set used_at = $2 where domain = $1

-- name: put
insert into queue.sts_policy as p (domain, id, mode, mx, max_age, expires, used_at, refresh_at)
select $1, $2, $3, $4::text[], $5, $6, $7, $8
 where exists (select from queue.sts_policy where domain = $1)
    or (select count(*) from (select from queue.sts_policy limit $9) as known) < $9
    on conflict (domain) do update
   set id = excluded.id, mode = excluded.mode, mx = excluded.mx, max_age = excluded.max_age,
       expires = excluded.expires, refresh_at = excluded.refresh_at

-- name: due
select domain from queue.sts_policy where refresh_at <= $1 and used_at > $2 order by refresh_at limit $3

-- name: postpone
update queue.sts_policy set refresh_at = $2 where domain = $1

-- name: forget
delete from queue.sts_policy where expires <= $1
