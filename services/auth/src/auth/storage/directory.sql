-- name: senders
-- One row per MAIL question: S12, whether the domain is local, and the right by which the client may relay (decision 9): the
-- login's, else the grant of the sender's own mailbox, else the latest of the sender's domain, else the latest. Each look-up is
-- one index probe, whatever the number of grants at the address, and is made only if those before it found nothing
-- (docs/decisions/0041). A grant without a domain was made by older code, an hour ago at most: it can be found as the latest.
select q.n,
       exists (select from auth.badmailfrom b where b.entry = q.sender or b.entry = '@' || q.domain) as bad,
       d.id is not null as local,
       case when login.id is not null then 'auth' when r.id is not null then 'grant' end as how,
       coalesce(login.id, r.id) as mailbox_id, coalesce(login.address, r.address) as address,
       coalesce(login.domain, r.domain) as domain,
       coalesce(own.granted_at, near.granted_at, latest.granted_at) as granted_at,
       d.rule as named_rule, h.rule as own_rule
  from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::uuid[]) as q (n, sender, domain, client, login)
  left join auth.domains d on d.name = q.domain
 cross join lateral (  -- as without the alias
       select coalesce(left(q.sender, -length(q.domain)) || d.alias_of, q.sender) as sender,
              case when d.alias_of is null then q.domain else d.alias_of end as domain) c  -- no coalesce, which is not leakproof (0118)
  left join auth.mailboxes login on login.id = q.login and login.state = 'enabled'
  left join lateral (
       select g.mailbox_id, g.granted_at
         from auth.mailboxes m join auth.grants g on g.address = q.client and g.mailbox_id = m.id
        where login.id is null and m.address = c.sender and m.state = 'enabled'
          and g.expires_at + interval '0' > $6  -- no index over times: it has all grants of the address
        limit 1) own on true
  left join lateral (
       select g.mailbox_id, g.granted_at
         from auth.grants g join auth.mailboxes m on m.id = g.mailbox_id and m.state = 'enabled'
        where login.id is null and own.mailbox_id is null
          and g.address = q.client and g.domain = c.domain and g.expires_at > $6
        order by g.expires_at desc
        limit 1) near on true
  left join lateral (
       select g.mailbox_id, g.granted_at
         from auth.grants g join auth.mailboxes m on m.id = g.mailbox_id and m.state = 'enabled'
        where login.id is null and own.mailbox_id is null and near.mailbox_id is null
          and g.address = q.client and g.expires_at > $6
        order by g.expires_at desc
        limit 1) latest on true
  left join auth.mailboxes r on r.id = coalesce(own.mailbox_id, near.mailbox_id, latest.mailbox_id)
  left join auth.domains h on h.name = coalesce(login.domain, r.domain)
 order by q.n

-- name: lookup
-- One row per address of a local domain: its forward (L2), mailbox (L3), the address of ours that it
-- stands for, without its tag or of the domain that it is an alias of (docs/decisions/0107 and 0108), and catch-all (L1).
select q.n, d.state as domain, d.catchall, d.catchall_targets, other.base,
       m.id, m.quota_limit, m.limit_version,
       f.targets, f.keep_copy,
       c.id as catchall_id, c.address as catchall_address,
       c.quota_limit as catchall_quota, c.limit_version as catchall_version
  from unnest($1::int[], $2::text[], $3::text[], $4::text[]) as q (n, address, domain, base)
  join auth.domains d on d.name = q.domain
  left join auth.mailboxes m on m.address = q.address and m.state <> 'purging'
  left join auth.forwards f on f.address = q.address
  left join lateral (
       select left(q.address, -length(q.domain)) || d.alias_of as base
        where m.id is null and f.id is null and d.alias_of is not null
       union all
       select q.base
        where m.id is null and f.id is null and d.alias_of is null and d.tags and (
              exists (select from auth.mailboxes b where b.address = q.base and b.state <> 'purging' limit 1)
              or exists (select from auth.forwards b where b.address = q.base limit 1))
       ) other on true
  left join auth.mailboxes c on c.id = d.catchall_mailbox and c.state <> 'purging'

-- name: domains
-- Those of the domains that are aliases or a customer's, with their plan; of an alias, that of its domain.
select d.name, d.alias_of, p.limits
  from auth.domains d
  left join auth.domains r on r.name = d.alias_of
  left join auth.customers c on c.id = case when d.alias_of is null then d.customer_id else r.customer_id end
  left join auth.plans p on p.id = c.plan_id
 where d.name = any($1::text[]) and (d.alias_of is not null or d.customer_id is not null)

-- name: drop_grants
-- Of the mailboxes of some domains, at client addresses that have grants of theirs.
delete from auth.grants g
 using (select distinct client, domain from unnest($1::text[], $2::text[]) as q (client, domain)) q
 where g.address = q.client and g.domain = q.domain

-- name: charge
-- Add relayed recipients to the accounts' hour; returns each account's new sum. Rows in key order: no deadlock.
insert into auth.relay_use as u (mailbox_id, hour, used)
select q.mailbox_id, $3, q.used
  from unnest($1::uuid[], $2::bigint[]) as q (mailbox_id, used)
 order by q.mailbox_id
    on conflict (mailbox_id, hour) do update set used = u.used + excluded.used
returning mailbox_id, used

-- name: charged
-- The sums that `charge` would return.
select q.mailbox_id, coalesce(u.used, 0) + q.used as used
  from unnest($1::uuid[], $2::bigint[]) as q (mailbox_id, used)
  left join lateral (
       select u.used from auth.relay_use u where u.mailbox_id = q.mailbox_id and u.hour = $3 limit 1) u on true

-- name: sessions
-- The domains of the mailboxes of those sessions whose logins are still valid (decision 15).
-- A version below 0 is the number of an app password.
select case when m.credential_version = q.version or p.number is not null then m.domain end as domain
  from unnest($1::int[], $2::uuid[], $3::int[]) as q (n, mailbox_id, version)
  left join auth.mailboxes m on m.id = q.mailbox_id and m.state = 'enabled'
  left join auth.app_passwords p
    on p.number = -q.version and p.mailbox_id = q.mailbox_id and (p.expires_at is null or p.expires_at > $4)
 order by q.n

-- name: oldest_domain
-- The domain of a bare `postmaster` if no setting names one.
select name from auth.domains where state = 'open' order by created_at, id limit 1

-- name: identities
-- One row per address that a client with a right to relay uses as sender: the rule of the address's domain, that of the
-- client's (its login's; of grants the least strict, of the latest 100), and whether the address is the client's own, is of
-- its domain, or forwards to it. Of grants, one of many mailboxes is enough. Each look-up is an index probe but these 100.
select q.n, d.rule as named_rule, d.identity_by as named_by, coalesce(d.signing, false) as signing,
       case when login.id is not null then login.rule
            else (array['off', 'log', 'enforce'])[granted.strictness + 1] end as own_rule,
       case when login.id is not null then login.address in (q.address, c.base) else own.found is not null end as own_address,
       case when login.id is not null then login.domain = c.domain else near.found is not null end as own_domain,
       coalesce(forwarded.found, granted_forward.found, false) as alias
  from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::uuid[]) as q (n, address, domain, client, login)
  left join auth.domains d on d.name = q.domain
 cross join lateral (
       select case when d.alias_of is not null then left(q.address, -length(q.domain)) || d.alias_of
                   when d.tags and not exists (select from auth.mailboxes o where o.address = q.address limit 1)
                               and not exists (select from auth.forwards o where o.address = q.address limit 1)
                   then split_part(q.address, '+', 1) || '@' || q.domain end as base,
              case when d.alias_of is null then q.domain else d.alias_of end as domain) c
  left join lateral (
       select m.id, m.address, m.domain, (select o.rule from auth.domains o where o.name = m.domain) as rule
         from auth.mailboxes m where m.id = q.login and m.state = 'enabled'
        limit 1) login on true
  left join lateral (
       select true as found
         from auth.mailboxes m join auth.grants g on g.address = q.client and g.mailbox_id = m.id
        where login.id is null and m.address in (q.address, c.base) and m.state = 'enabled'
          and g.expires_at + interval '0' > $6
        limit 1) own on true
  left join lateral (
       select true as found
         from (select g.mailbox_id
                 from auth.grants g
                where login.id is null and g.address = q.client and g.domain = c.domain and g.expires_at > $6
                order by g.expires_at desc limit 10) g
        where exists (select from auth.mailboxes m where m.id = g.mailbox_id and m.state = 'enabled' limit 1)
        limit 1) near on true
  left join lateral (
       select true as found
         from auth.forwards f cross join lateral unnest(f.targets) as t (address)
        where f.address in (q.address, c.base) and lower(t.address) = login.address
        limit 1) forwarded on true
  left join lateral (
       select true as found
         from auth.forwards f cross join lateral unnest(f.targets) as t (address)
        cross join lateral (
              select m.id from auth.mailboxes m
               where login.id is null and m.address = lower(t.address) and m.state = 'enabled'
               limit 1) m
        cross join lateral (
              select from auth.grants g
               where g.address = q.client and g.mailbox_id = m.id and g.expires_at + interval '0' > $6
               limit 1) g
        where f.address in (q.address, c.base)
        limit 1) granted_forward on true
  left join lateral (
       select min(case each.rule when 'off' then 0 when 'log' then 1 else 2 end) as strictness
         from (select g.mailbox_id
                 from auth.grants g
                where login.id is null and g.address = q.client and g.expires_at > $6
                order by g.expires_at desc limit 100) g
        cross join lateral (  -- `limit`: one probe each, not a join of whole tables
              select o.rule
                from auth.mailboxes m join auth.domains o on o.name = m.domain
               where m.id = g.mailbox_id and m.state = 'enabled'
               limit 1) each) granted on true
 order by q.n
