-- name: senders
-- One row per MAIL question: S12, whether the domain is ours, and by which right the client may relay (decision 9).
select q.n,
       exists (select from auth.badmailfrom b where b.entry = q.sender or b.entry = '@' || q.domain) as bad,
       exists (select from auth.domains d where d.name = q.domain) as local,
       r.how, r.mailbox_id, r.address, r.domain
  from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::uuid[]) as q (n, sender, domain, client, login)
  left join lateral (
       select 'auth' as how, m.id as mailbox_id, m.address, m.domain, 0 as rank, null::timestamptz as granted_at
         from auth.mailboxes m where m.id = q.login and m.state = 'enabled'
       union all
       select 'grant', m.id, m.address, m.domain,
              case when m.address = q.sender then 1 when m.domain = q.domain then 2 else 3 end, g.granted_at
         from auth.grants g join auth.mailboxes m on m.id = g.mailbox_id
        where g.address = q.client and g.expires_at > $6 and m.state = 'enabled'
        order by rank, granted_at desc
        limit 1) r on true
 order by q.n

-- name: lookup
-- One row per address: is the domain ours, and what stands there: forward (L2), mailbox (L3), catch-all (L1).
select q.n, d.state as domain, d.catchall, d.catchall_targets,
       m.id, m.quota_limit, m.limit_version,
       f.targets, f.keep_copy,
       c.id as catchall_id, c.address as catchall_address,
       c.quota_limit as catchall_quota, c.limit_version as catchall_version
  from unnest($1::int[], $2::text[], $3::text[]) as q (n, address, domain)
  join auth.domains d on d.name = q.domain
  left join auth.mailboxes m on m.address = q.address and m.state <> 'purging'
  left join auth.forwards f on f.address = q.address
  left join auth.mailboxes c on c.id = d.catchall_mailbox and c.state <> 'purging'

-- name: charge
-- Add relayed recipients to the accounts' hour; returns each account's sum after it. Rows in key order: no deadlock.
insert into auth.relay_use as u (mailbox_id, hour, used)
select q.mailbox_id, $3, q.used
  from unnest($1::uuid[], $2::bigint[]) as q (mailbox_id, used)
 order by q.mailbox_id
    on conflict (mailbox_id, hour) do update set used = u.used + excluded.used
returning mailbox_id, used

-- name: sessions
-- Which of these sessions' logins are still good (decision 15).
select m.id is not null as good
  from unnest($1::int[], $2::uuid[], $3::int[]) as q (n, mailbox_id, version)
  left join auth.mailboxes m
    on m.id = q.mailbox_id and m.credential_version = q.version and m.state = 'enabled'
 order by q.n

-- name: oldest_domain
-- Whose postmaster a bare `postmaster` means when no setting names the domain.
select name from auth.domains where state = 'open' order by created_at, id limit 1
