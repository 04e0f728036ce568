-- name: add_plan
insert into auth.plans (id, name, limits, created_at) values ($1, $2, $3::text::jsonb, $4)
    on conflict (name) do nothing
returning id

-- name: plan
select p.id, p.name, p.limits, p.created_at, (select count(*) from auth.customers c where c.plan_id = p.id) as customers
  from auth.plans p
 where p.name = $1

-- name: plans
-- A page above the name $1.
select p.id, p.name, p.limits, p.created_at, (select count(*) from auth.customers c where c.plan_id = p.id) as customers
  from auth.plans p
 where p.name > $1
 order by p.name limit $2

-- name: set_plan
-- The fields of $2 in place of what they were; null removes one.
update auth.plans set limits = jsonb_strip_nulls(limits || $2::text::jsonb) where name = $1
returning id

-- name: delete_plan
delete from auth.plans where name = $1
returning id

-- name: add_customer
insert into auth.customers (id, name, plan_id, created_at) values ($1, $2, $3, $4)
    on conflict (name) do nothing
returning id

-- name: customer
select c.id, c.name, c.created_at, (select p.name from auth.plans p where p.id = c.plan_id) as plan,
       (select count(*) from auth.domains d where d.customer_id = c.id) as domains
  from auth.customers c
 where c.name = $1

-- name: customers
-- A page above the name $1.
select c.id, c.name, c.created_at, (select p.name from auth.plans p where p.id = c.plan_id) as plan,
       (select count(*) from auth.domains d where d.customer_id = c.id) as domains
  from auth.customers c
 where c.name > $1
 order by c.name limit $2

-- name: set_customer
update auth.customers set plan_id = $2 where name = $1
returning id

-- name: delete_customer
delete from auth.customers where name = $1
returning id

-- name: plan_id
-- For a customer that gets it: it stays until the transaction ends.
select id from auth.plans where name = $1 for key share

-- name: customer_id
-- For a domain that gets it: it stays until the transaction ends.
select id from auth.customers where name = $1 for key share

-- name: set_domain_customer
update auth.domains set customer_id = $2 where name = $1
returning id
