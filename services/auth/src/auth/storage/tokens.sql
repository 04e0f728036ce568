-- name: caller
-- The token whose secret has the hash $1, unless it or its secret has ended at $2, or its domain is no longer its customer's.
select t.id, t.name, t.role, t.customer_id, t.domain, t.expires_at
  from auth.token_secrets s
  join auth.tokens t on t.id = s.token_id
 where s.hash = $1 and (s.until is null or s.until > $2) and (t.expires_at is null or t.expires_at > $2)
   and (t.domain is null or t.customer_id is null
        or exists (select from auth.domains d where d.name = t.domain and d.customer_id = t.customer_id))

-- name: add
insert into auth.tokens (id, name, role, customer_id, domain, made_by, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: add_secret
insert into auth.token_secrets (hash, token_id) values ($1, $2)

-- name: tokens
-- A page above the id $1.
select t.id, t.name, t.role, t.domain, t.made_by, t.created_at, t.expires_at,
       (select c.name from auth.customers c where c.id = t.customer_id) as customer,
       (select max(s.until) from auth.token_secrets s where s.token_id = t.id) as old_until
  from auth.tokens t
 where t.id > $1
 order by t.id limit $2

-- name: tokens_of_domain
-- A page of the domain $3, above the id $1.
select t.id, t.name, t.role, t.domain, t.made_by, t.created_at, t.expires_at,
       (select c.name from auth.customers c where c.id = t.customer_id) as customer,
       (select max(s.until) from auth.token_secrets s where s.token_id = t.id) as old_until
  from auth.tokens t
 where t.domain = $3 and t.id > $1
 order by t.id limit $2

-- name: tokens_of_customer
-- A page of the customer $3, above the id $1.
select t.id, t.name, t.role, t.domain, t.made_by, t.created_at, t.expires_at,
       (select c.name from auth.customers c where c.id = t.customer_id) as customer,
       (select max(s.until) from auth.token_secrets s where s.token_id = t.id) as old_until
  from auth.tokens t
 where t.customer_id = $3 and t.id > $1
 order by t.id limit $2

-- name: token
select t.id, t.name, t.role, t.domain, t.made_by, t.created_at, t.expires_at,
       (select c.name from auth.customers c where c.id = t.customer_id) as customer,
       (select max(s.until) from auth.token_secrets s where s.token_id = t.id) as old_until
  from auth.tokens t
 where t.id = $1

-- name: count
-- Of the domain $1, or of the customer $2 as a whole.
select count(*) from auth.tokens where domain = $1 or ($1::text is null and customer_id = $2)

-- name: domain_customer
select customer_id from auth.domains where name = $1

-- name: lock
-- Rotations of one token wait for each other.
select id from auth.tokens where id = $1 for update

-- name: drop_old
-- At most one old secret of a token is kept.
delete from auth.token_secrets where token_id = $1 and until is not null

-- name: end_current
update auth.token_secrets set until = $2 where token_id = $1

-- name: revoke
delete from auth.tokens where id = $1
returning id
