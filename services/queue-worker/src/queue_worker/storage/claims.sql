-- name: claim_local
-- Claim recipients with a local mailbox that became due after $5, waiting ones and those of a worker whose lease has expired.
with c as (
    select message_id, n, due from queue.recipient r
     where mailbox_id is not null and due > $5 and due <= $1
       and (not exists (select from queue.pause)
            or (select count(*) from queue.pause where kind = 'all')
             + (select count(*) from queue.pause
                 where kind = 'destination' and value = lower(substr(r.address, length(r.address) - position('@' in reverse(r.address)) + 2)))
             + (select count(*) from queue.pause p join queue.message m on p.value = m.account::text
                 where m.id = r.message_id and p.kind in ('account', 'disabled')) = 0)
     order by due limit $4 for update skip locked
), u as (
    update queue.recipient r
       set state = 'claimed', attempt = r.attempt + 1, worker = $2, claimed_at = $1, due = $3, dot_sent = false, held_at = null
      from c where r.message_id = c.message_id and r.n = c.n
    returning r.message_id, r.n, r.address, r.original, r.mailbox_id, r.quota_limit, r.limit_version, r.attempt,
              r.tries, r.looped, r.delay_noted, c.due
)
select u.*, m.mail_from, m.body_id, m.size, m.first_seen, m.expires, m.account, m.traceparent, m.bounce, m.folder, m.flags,
       coalesce(a.notify, '') as notify, coalesce(a.orcpt, '') as orcpt, coalesce(a.ret, '') as ret, coalesce(a.envid, '') as envid, coalesce(a.tls, '') as tls
  from u join queue.message m on m.id = u.message_id
  left join queue.asked a on a.message_id = u.message_id and a.n = u.n

-- name: due_destinations
-- The pairs of domain and flow of the first $3 remote recipients that became due after $2, and of those that became due at
-- the same time as the last of them. `paused`: they are not to be tried.
select destination, flow, min(due) as due, max(due) as last, count(*) as recipients,
       (select count(*) from queue.pause where kind = 'all') > 0
       or (select count(*) from queue.pause where kind = 'destination' and value = r.destination) > 0
       or (select count(*) from queue.pause where kind in ('account', 'disabled') and value = r.flow::text) > 0 as paused
  from (select destination, flow, due from queue.recipient
         where destination <> '' and due > $2 and due <= $1 order by due fetch first ($3::int) rows with ties) r
 group by destination, flow

-- name: pauses_mark
-- What the pauses are, in one word: it changes when one begins or ends.
select coalesce(md5(string_agg(kind || ' ' || value || ' ' || since, ',' order by kind, value)), '') from queue.pause

-- name: claim_remote
-- Claim due remote recipients, up to $4 for each pair of domain $5 and flow $6, of those due at $7 or later. `was_sent`: the last worker may have sent
-- its final dot, and no reply was recorded. An attempt that began before the database's last start or on another timeline
-- counts as such, since its mark may be lost (docs/decisions/0030).
with s as materialized (
    select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ' ' || extract(epoch from pg_postmaster_start_time()) as life
), c as (
    select r.message_id, r.n, r.due, r.was_sent
      from s, unnest($5::text[], $6::uuid[], $4::int[], $7::timestamptz[]) as d(destination, flow, most, since) cross join lateral (
        select message_id, n, due,
               state = 'claimed' and (dot_sent or database_life is distinct from s.life) as was_sent
          from queue.recipient
         where mailbox_id is null and destination = d.destination and flow = d.flow and due >= d.since and due <= $1
         order by due limit d.most for update skip locked
      ) r
     where (select count(*) from queue.pause where kind = 'all') = 0
       and (select count(*) from queue.pause where kind = 'destination' and value = d.destination) = 0
       and (select count(*) from queue.pause where kind in ('account', 'disabled') and value = d.flow::text) = 0
), u as (
    update queue.recipient r
       set state = 'claimed', attempt = r.attempt + 1, worker = $2, claimed_at = $1, due = $3, dot_sent = false, held_at = null,
           database_life = s.life
      from c, s where r.message_id = c.message_id and r.n = c.n
    returning r.message_id, r.n, r.destination, r.flow, r.address, r.original, r.attempt, r.tries,
              r.looped, r.via, r.sender, r.delay_noted, coalesce(r.route, '') as route, c.due, c.was_sent
)
select u.*, m.mail_from, m.body_id, m.size, m.first_seen, m.expires, m.account, m.traceparent, m.eight_bit, m.smtputf8, m.bounce, m.dmarc_failed,
       coalesce(a.notify, '') as notify, coalesce(a.orcpt, '') as orcpt, coalesce(a.ret, '') as ret, coalesce(a.envid, '') as envid, coalesce(a.tls, '') as tls
  from u join queue.message m on m.id = u.message_id
  left join queue.asked a on a.message_id = u.message_id and a.n = u.n

-- name: renew
-- Extend the leases of these attempts, except those that were taken over and those being written at the moment.
with c as (
    select r.message_id, r.n from queue.recipient r
      join unnest($1::uuid[], $2::smallint[], $3::int[]) as t(message_id, n, attempt)
        on r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt
     where r.worker = $4 and r.state = 'claimed' for update of r skip locked
)
update queue.recipient r set due = $5 from c where r.message_id = c.message_id and r.n = c.n

-- name: take_over
-- The only worker of a single machine starts: claims of an earlier one, whose leases end before $2, are due now. The fence
-- holds if that one still runs.
with l as (
    update queue.recipient set due = $1 where mailbox_id is not null and due > $1 and due <= $2 and state = 'claimed'
)
update queue.recipient set due = $1 where destination <> '' and due > $1 and due <= $2 and state = 'claimed'

-- name: mark_dot
-- Set the "dot sent" mark, fenced by attempt and unexpired lease (decision 6). The dot may be sent for the rows returned.
-- The mark must survive this worker, not the machine, so its commit does not wait for the flush.
update queue.recipient r set dot_sent = true
  from unnest($1::uuid[], $2::smallint[], $3::int[]) as t(message_id, n, attempt),
       (select set_config('synchronous_commit', 'off', true)) as this_transaction
 where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4
   and r.state = 'claimed' and r.due > $5
returning r.message_id, r.n, r.attempt
