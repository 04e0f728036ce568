-- name: read
-- One row per attempt: the earlier answer to its operation, the account, and recent failures (decision 15).
-- Counters are read by their whole key, whatever the statistics: `limit` keeps the key from becoming a join's filter.
select q.n,
       a.operation_id is not null as answered, a.outcome, a.retry_after, a.mailbox_id, a.address,
       a.credential_version as answered_version, a.quota_limit, a.limit_version,
       m.id, m.state, m.password_hash, m.main_password, m.credential_version, m.address as box_address,
       m.quota_limit as box_quota, m.limit_version as box_version,
       k.tag as remembered,
       v.credential_version as scram_version, v.salt as scram_salt, v.iterations as scram_iterations,
       v.stored_key as scram_stored, v.server_key as scram_server,
       p.number as app_number, p.name as app_name, p.digest as app_digest, p.protocols as app_protocols,
       p.networks as app_networks, p.expires_at as app_expires,
       w.seen_at as network_seen,
       coalesce(fn.failures, 0) as network_failures, fn.window_started as network_window,
       coalesce(fa.failures, 0) as account_failures, fa.window_started as account_window,
       coalesce(fi.failures, 0) as address_failures, fi.window_started as address_window
  from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $7::text[], $9::text[])
       as q (n, op, account, client, network, selector)
  left join auth.answers a on a.operation_id = q.op
  left join auth.mailboxes m on m.address = q.account
  left join auth.remembered_passwords k on k.mailbox_id = m.id
  left join auth.scram_verifiers v on v.mailbox_id = m.id
  left join auth.app_passwords p on p.mailbox_id = m.id and p.selector = q.selector
  left join auth.login_networks w on w.mailbox_id = m.id and w.network = q.network and w.seen_at > $8
  left join lateral (
    select failures, window_started from auth.login_failures
     where kind = 'network' and key = q.account || ' ' || q.network and window_started > $5 and window_started < $6 limit 1
  ) fn on true
  left join lateral (
    select failures, window_started from auth.login_failures
     where w.seen_at is null and kind = 'account' and key = q.account and window_started > $5 and window_started < $6 limit 1
  ) fa on true
  left join lateral (
    select failures, window_started from auth.login_failures
     where kind = 'address' and key = q.client and window_started > $5 and window_started < $6 limit 1
  ) fi on true
 order by q.n

-- name: commit
-- Everything that a list of attempts changes, in one transaction: the operations' claims, P4's time, grants (S2, I2), failure
-- counters and the answers themselves. $12 now, $13 now less each one's P4 delay, $14 a grant's end, $15 and $16 the bounds of a
-- failure window that still counts, $19 the limit of networks remembered per mailbox. An operation that another call has
-- claimed has no row in the result. Every table's rows are locked in key order, so that two lists cannot deadlock.
with q as (
    select * from unnest($1::int[], $2::uuid[], $3::bool[], $4::bool[], $5::uuid[], $6::int[], $7::text[], $8::text[],
                         $9::text[], $10::uuid[], $11::bool[], $17::text[], $18::text[], $13::timestamptz[])
        as q (n, op, good, pop3, mailbox_id, version, account, client, holder, grant_id, reset, place_key, network, before)
), claimed as (
    insert into auth.operations (id, made_at) select op, $12 from q order by op
        on conflict (id) do nothing
    returning id
), locked as (
    -- waits for a password change or disabling under way; its result counts
    select m.id, m.address, m.domain, m.credential_version, m.quota_limit, m.limit_version, m.last_pop3_login
      from auth.mailboxes m
     where m.id in (select q.mailbox_id from q join claimed c on c.id = q.op where q.good) and m.state = 'enabled'
     order by m.id
       for no key update of m
), held as (
    -- waits for the revocation of an app password under way, likewise
    select p.mailbox_id, p.number
      from auth.app_passwords p
     where p.number in (select -q.version from q join claimed c on c.id = q.op where q.good and q.version < 0)
     order by p.number
       for key share of p
), tried as (
    select q.*, l.id is not null and (q.version > 0 or h.number is not null) as valid, l.address, l.domain, l.quota_limit, l.limit_version, l.last_pop3_login,
           row_number() over (partition by l.id, q.pop3 order by q.n) as place
      from q
      join claimed c on c.id = q.op
      left join locked l on q.good and l.id = q.mailbox_id and (q.version < 0 or l.credential_version = q.version)
      left join held h on h.mailbox_id = l.id and h.number = -q.version
), checked as (
    -- P4: one of several concurrent logins sets the time; a refused one does not. A time from a clock that has since been
    -- set back does not count.
    update auth.mailboxes m set last_pop3_login = $12
      from tried t
     where t.valid and t.pop3 and t.place = 1 and m.id = t.mailbox_id
       and (m.last_pop3_login is null or m.last_pop3_login <= t.before
            or m.last_pop3_login > $12::timestamptz + ($12::timestamptz - t.before))
    returning m.id
), judged as (
    select t.*,
           case when not t.valid then 'refused'
                when not t.pop3 or t.before >= $12 or (t.place = 1 and t.mailbox_id in (select id from checked)) then 'ok'
                else 'too_soon' end as outcome
      from tried t
), said as (
    select j.*,
           case when outcome <> 'too_soon' then 0
                when place > 1 or last_pop3_login is null then ceil(extract(epoch from $12::timestamptz - before))::int
                else greatest(1, ceil(extract(epoch from last_pop3_login - before)))::int end as retry_after
      from judged j
), kept as (
    insert into auth.answers
        (operation_id, outcome, retry_after, mailbox_id, address, credential_version, quota_limit, limit_version)
    select op, outcome, retry_after,
           case when outcome = 'ok' then mailbox_id end,
           case when outcome = 'ok' then address else '' end,
           case when outcome = 'ok' then version else 0 end,
           case when outcome = 'ok' then quota_limit else 0 end,
           case when outcome = 'ok' then limit_version else 0 end
      from said
), given as (
    insert into auth.grants (id, address, mailbox_id, domain, granted_at, expires_at)
    select distinct on (holder, mailbox_id) grant_id, holder, mailbox_id, domain, $12, $14
      from said
     where outcome = 'ok' and holder is not null
     order by holder, mailbox_id
        on conflict (address, mailbox_id)
        do update set domain = excluded.domain, granted_at = excluded.granted_at, expires_at = excluded.expires_at
), learnt as (
    insert into auth.login_networks as w (mailbox_id, network, seen_at)
    select distinct on (mailbox_id, network) mailbox_id, network, $12
      from said
     where valid and network is not null
       and (select count(*) from (select from auth.login_networks k where k.mailbox_id = said.mailbox_id limit $19) as there) < $19
     order by mailbox_id, network
        on conflict (mailbox_id, network) do update set seen_at = excluded.seen_at
), counted as (
    insert into auth.login_failures as f (kind, key, failures, window_started)
    select kind, key, sum(amount), $12
      from (select 'account' as kind, account as key, 1 as amount from said where outcome = 'refused'
            union all
            select 'network', place_key, 1 from said where outcome = 'refused'
            union all
            select 'address', client, 1 from said where outcome = 'refused'
            union all
            select 'network', place_key, 0 from said where outcome <> 'refused' and reset) as x
     where key is not null
     group by kind, key
     order by kind, key
        on conflict (kind, key) do update
       set failures = case when excluded.failures = 0 then 0
                           when f.window_started > $15 and f.window_started < $16 then f.failures + excluded.failures
                           else excluded.failures end,
           window_started = case when f.failures > 0 and f.window_started > $15 and f.window_started < $16
                                 then f.window_started else excluded.window_started end
)
select n, outcome, retry_after, mailbox_id, address, version, quota_limit, limit_version,
       outcome = 'ok' and holder is not null as granted
  from said

-- name: answers
-- The answers to operations that another call has claimed.
select operation_id, outcome, retry_after, mailbox_id, address, credential_version, quota_limit, limit_version
  from auth.answers
 where operation_id = any($1::uuid[])

-- name: undo_checks
-- A POP3 login that got no maildrop does not count as a check (P4). Only the time of the operation itself (`checked` above) is
-- removed, never that of a later check; the delay before it had ended, or the login would have been too soon. Rows in key
-- order, as above.
with mine as (
    select m.id as mailbox_id, o.id, o.made_at
      from auth.operations o
      join auth.answers a on a.operation_id = o.id and a.outcome = 'ok'
      join auth.mailboxes m on m.id = a.mailbox_id and m.last_pop3_login = o.made_at
     where o.id = any($1::uuid[])
     order by m.id
       for no key update of m
)
update auth.mailboxes m set last_pop3_login = null
  from mine
 where m.id = mine.mailbox_id and m.last_pop3_login = mine.made_at
returning mine.id

-- name: rehash
-- Replace outdated hashes, unless the password has been changed meanwhile.
update auth.mailboxes m set password_hash = q.better
  from unnest($1::uuid[], $2::text[], $3::text[]) as q (id, outdated, better)
 where m.id = q.id and m.password_hash = q.outdated

-- name: remember
-- A password that is no longer the mailbox's is not kept, and one that is changed meanwhile has another tag. Rows in key order.
insert into auth.remembered_passwords as k (mailbox_id, tag, made_at)
select m.id, q.tag, $4
  from (select distinct on (id) * from unnest($1::uuid[], $2::int[], $3::bytea[]) as u (id, version, tag) order by id) q
  join auth.mailboxes m on m.id = q.id and m.credential_version = q.version
 order by m.id
    on conflict (mailbox_id) do update set tag = excluded.tag, made_at = excluded.made_at
