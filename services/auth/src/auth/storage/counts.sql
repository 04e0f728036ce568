-- name: plan_of
select p.name as plan, p.limits
  from auth.domains d
  join auth.customers c on c.id = d.customer_id
  join auth.plans p on p.id = c.plan_id
 where d.name = $1

-- name: lock_counted
-- One change at a time of what a plan counts. Mail, logins and rows that refer to the domain are not held up.
select name from auth.domains where name = $1 for no key update

-- name: mailboxes
-- At most $2 are counted.
select count(*) from (select from auth.mailboxes where domain = $1 limit $2) as m

-- name: quotas
-- Of all mailboxes but $2.
select coalesce(sum(quota_limit), 0)::bigint from auth.mailboxes where domain = $1 and address <> $2

-- name: forwards
-- Of all but $2: those with a target elsewhere ($3 true), or those without.
select count(*) from auth.forwards f
 where f.domain = $1 and f.address <> $2
   and exists (select from unnest(f.targets) as t (address) where lower(split_part(t.address, '@', -1)) <> $1) = $3

-- name: targets
select targets from auth.forwards where address = $1
