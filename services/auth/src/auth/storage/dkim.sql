-- name: add
-- Nothing if the domain has a key with this selector, or a new key for this algorithm.
insert into auth.dkim_keys (id, domain, selector, algorithm, private_key, record, created_at, since, check_at)
select $1, d.name, $3, $4, $5, $6, $7, $7, $7 from auth.domains d where d.name = $2
    on conflict do nothing

-- name: keys
-- Of a domain, without the private keys.
select k.id, k.domain, k.selector, k.algorithm, k.record, k.state, k.created_at, k.since
  from auth.dkim_keys k where k.domain = $1
 order by k.algorithm desc, k.created_at, k.selector

-- name: lock_domain
-- Changes of one domain's keys wait for each other.
select name from auth.domains where name = $1 for update

-- name: retire
-- The active key that the new key $1 replaces.
update auth.dkim_keys old set state = 'old', since = $2
  from auth.dkim_keys k
 where k.id = $1 and k.state = 'new'
   and old.domain = k.domain and old.algorithm = k.algorithm and old.state = 'active'

-- name: activate
update auth.dkim_keys set state = 'active', since = $2, check_at = null where id = $1 and state = 'new'
returning domain

-- name: signs
update auth.domains d set signing = exists (select from auth.dkim_keys k where k.domain = d.name and k.state = 'active')
 where d.name = $1

-- name: postpone
update auth.dkim_keys set check_at = $2 where id = $1 and state = 'new'

-- name: remove_all
delete from auth.dkim_keys where domain = $1

-- name: remove_old
-- At most a slice: the next round removes more.
delete from auth.dkim_keys where id in (
    select id from auth.dkim_keys where state = 'old' and since < $1 order by since limit 1000)

-- name: due
-- New keys whose record is looked for now.
select k.id, k.domain, k.selector, k.algorithm, k.record, k.state, k.created_at, k.since
  from auth.dkim_keys k where k.check_at <= $1
 order by k.check_at limit $2

-- name: aged
-- Active keys to be replaced: those without a successor under way.
select k.domain, k.algorithm, array(select o.selector from auth.dkim_keys o where o.domain = k.domain) as selectors
  from (select domain, algorithm from auth.dkim_keys
         where state = 'active' and since < $1 order by since limit $2) k
 where not exists (select from auth.dkim_keys n
                    where n.domain = k.domain and n.algorithm = k.algorithm and n.state = 'new')

-- name: signers
-- The active keys of these domains, Ed25519 first, as the first signature in the message is the last one made.
select k.domain, k.selector, k.algorithm from auth.dkim_keys k
 where k.domain = any ($1) and k.state = 'active'
 order by k.domain, k.algorithm

-- name: private_keys
-- Keys to sign with; one that has just been replaced still has its record.
select q.n, k.private_key
  from unnest($1::int[], $2::text[], $3::text[]) as q (n, domain, selector)
  join auth.dkim_keys k on k.domain = q.domain and k.selector = q.selector and k.state <> 'new'
