-- name: change
-- Of the recipients that `matching` finds, change those in state $12: held since $13 and due at $14; not held, if $13 is null, and
-- due at $14 unless they are due before, and note operation $15 with them. Those that are being claimed or changed at the moment are
-- skipped.
with m as materialized (
{matching}
), c as materialized (
    select r.ctid as place from m join queue.recipient r on r.ctid = m.place
     where m.state = $12 and r.state = 'waiting' and (r.held_at is not null) = ($12 = 'held') for update of r skip locked
), u as (
    update queue.recipient r
       set held_at = $13, due = case when $13::timestamptz is null then least(r.due, $14) else $14 end,
           acted = case when cardinality(r.acted) >= 20 then r.acted[2:] else r.acted end || $15::uuid
      from c where r.ctid = c.place
    returning r.message_id, r.flow, r.destination
)
select (select count(*) from m where state in ('claimed', $12)) as found, (select count(*) from u) as recipients,
       (select count(distinct message_id) from u) as messages, array_agg(flow) as flows, array_agg(destination) as destinations
  from (select distinct flow, destination from u) p

-- name: reroute
-- Of the recipients that `matching` finds, give the remote ones that wait the named route $12, or none, and note operation $14 with
-- them; those that are not held are due at $13 at the latest. Those that are being claimed or changed at the moment are skipped.
with m as materialized (
{matching}
), c as materialized (
    select r.ctid as place from m join queue.recipient r on r.ctid = m.place
     where m.remote and r.state = 'waiting' and r.mailbox_id is null for update of r skip locked
), u as (
    update queue.recipient r
       set route = $12, due = case when r.held_at is null then least(r.due, $13) else r.due end,
           acted = case when cardinality(r.acted) >= 20 then r.acted[2:] else r.acted end || $14::uuid
      from c where r.ctid = c.place
    returning r.message_id, r.flow, r.destination
)
select (select count(*) from m where remote) as found, (select count(*) from u) as recipients,
       (select count(distinct message_id) from u) as messages, array_agg(flow) as flows, array_agg(destination) as destinations
  from (select distinct flow, destination from u) p

-- name: a_route
select true from queue.route where kind = 'named' and value = $1

-- name: take
-- Claim the waiting recipients ($1, $2) at $3 for worker $4 until $5, as if they were due, to give them up by operation $6.
with s as materialized (
    select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ' ' || extract(epoch from pg_postmaster_start_time()) as life
), c as (
    select r.message_id, r.n from queue.recipient r
      join unnest($1::uuid[], $2::smallint[]) as t(message_id, n) on r.message_id = t.message_id and r.n = t.n
     where r.state = 'waiting' for update of r skip locked
), u as (
    update queue.recipient r
       set state = 'claimed', attempt = r.attempt + 1, worker = $4, claimed_at = $3, due = $5, dot_sent = false, held_at = null,
           database_life = s.life, acted = case when cardinality(r.acted) >= 20 then r.acted[2:] else r.acted end || $6::uuid
      from c, s where r.message_id = c.message_id and r.n = c.n
    returning r.message_id, r.n, r.destination, r.flow, r.address, r.original, r.mailbox_id, r.attempt, r.tries,
              r.via, r.sender, r.status, r.reply, r.remote_host, r.diagnostic
)
select u.*, m.mail_from, m.body_id, m.size, m.first_seen, m.expires, m.bounce, m.dmarc_failed,
       coalesce(a.notify, '') as notify, coalesce(a.orcpt, '') as orcpt, coalesce(a.ret, '') as ret, coalesce(a.envid, '') as envid, coalesce(a.tls, '') as tls
  from u join queue.message m on m.id = u.message_id
  left join queue.asked a on a.message_id = u.message_id and a.n = u.n

-- name: pauses
select kind, value, since, reason from queue.pause where (kind, value) > ($1, $2) order by kind, value limit $3

-- name: pause
-- A repeated pause keeps its time.
insert into queue.pause (kind, value, since, reason) values ($1, $2, $3, $4)
on conflict (kind, value) do update set reason = excluded.reason returning kind, value, since, reason

-- name: resume
delete from queue.pause where kind = $1 and value = $2 returning kind, value, since, reason

-- name: pauses_of
-- Pauses that keep a message of account $1 from the domains $2.
select kind, value, since, reason from queue.pause
 where kind = 'all' or kind in ('account', 'disabled') and value = $1::uuid::text or kind = 'destination' and value = any($2::text[])
 order by kind, value
