-- name: lock_messages
-- Workers that finish recipients of the same message do so in turn, so that the last one finds that it is the last.
select id from queue.message where id = any($1::uuid[]) order by id for update

-- name: finish
-- Move recipients from the queue to the history, fenced by their attempt. What the hand-over's row or another column says is left out.
with o as (
    select * from unnest($1::uuid[], $2::smallint[], $3::int[], $5::text[], $6::text[], $7::text[], $8::text[], $10::text[])
        as t(message_id, n, attempt, outcome, status, reply, remote_host, connection)
), d as (
    delete from queue.recipient r using o
     where r.message_id = o.message_id and r.n = o.n and r.attempt = o.attempt and r.worker = $4 and r.state = 'claimed'
    returning r.message_id, r.n, r.address, r.original, r.mailbox_id is not null as local, r.tries, r.in_doubt,
              left(o.outcome, 1) as state, o.status, o.reply, o.remote_host, split_part(o.connection, ' ', 1) as remote_address,
              split_part(o.connection, ' (', 1) as known, o.connection, r.acted, r.via, r.sender
)
insert into queue.ended (finished_at, message_id, n, tries, in_doubt, tls, local, state, address, original, status, reply, remote_host,
                         remote_address, acted, via, sender, policy)
select $9, message_id, n, least(tries + 1, 32767), least(in_doubt, 32767),
       queue.tls_number(substr(known, length(remote_address) + 2)), local, state, address,
       case original when address then '' else original end,
       case when state = 'd' and status = '2.0.0' then '' else status end,
       case when state = 'd' and local and reply = 'filed' then '' else reply end,
       coalesce(remote_host, ''), remote_address, coalesce(acted::text, ''), via, sender, substr(connection, length(known) + 2)
  from d
returning message_id, n

-- name: defer
-- Set recipients back to waiting, fenced by attempt, and add a row to the message's history; with a notice of the delay, the mark of it.
with t as (
    select * from unnest($1::uuid[], $2::smallint[], $3::int[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::text[], $12::text[], $13::uuid[])
        as t(message_id, n, attempt, due, outcome, status, reply, remote_host, diagnostic, connection, notice)
), w as (
    update queue.recipient r
       set state = 'waiting', worker = null, claimed_at = null, database_life = null, dot_sent = false, due = t.due, tries = r.tries + 1,
           in_doubt = r.in_doubt + (t.outcome = 'in_doubt')::int, status = t.status, reply = t.reply,
           remote_host = t.remote_host, diagnostic = t.diagnostic, delay_noted = r.delay_noted or t.notice is not null
      from t
     where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4 and r.state = 'claimed'
    returning r.message_id, r.n, t.attempt, t.outcome, t.status, t.reply, t.remote_host,
              t.connection, t.notice
)
insert into queue.attempt (message_id, n, attempt, at, outcome, status, reply, remote_host, connection, notice)
select message_id, n, attempt, $11, outcome, status, reply, remote_host, connection, notice from w
returning message_id, n

-- name: give_back
-- Set recipients back to waiting as if they had not been claimed.
update queue.recipient r
   set state = 'waiting', worker = null, claimed_at = null, database_life = null, dot_sent = false, due = t.due
  from unnest($1::uuid[], $2::smallint[], $3::int[], $5::timestamptz[]) as t(message_id, n, attempt, due)
 where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4 and r.state = 'claimed'

-- name: remove
-- Move the waiting and held recipients that `matching` finds to the history, at $12 by operation $13, without an attempt. The lock of their messages
-- is that of `lock_messages`.
with m as materialized (
{matching}
), l as materialized (
    select id from queue.message where id = any(array(select distinct message_id from m where state <> 'claimed')) order by id for update
), d as (
    delete from queue.recipient r using m
     where (select count(*) from l) > 0 and r.ctid = m.place and m.state <> 'claimed' and r.state = 'waiting'
    returning r.*
), f as (
    insert into queue.ended (finished_at, message_id, n, tries, in_doubt, tls, local, state, address, original, status, reply,
                             remote_host, remote_address, acted, via, sender)
    select $12, message_id, n, least(tries, 32767), least(in_doubt, 32767), 0, mailbox_id is not null, 'r', address,
           case original when address then '' else original end, status, reply, coalesce(remote_host, ''), '',
           (case when cardinality(acted) >= 20 then acted[2:] else acted end || $13::uuid)::text, via, sender
      from d
)
select (select count(*) from m) as found, array_agg(message_id) as ids, array_agg(n) as numbers from d

-- name: drop_messages
-- Delete messages without recipients, and what was asked about them; their bodies lose the queue's reference.
with d as (
    delete from queue.message m
     where m.id = any($1::uuid[]) and not exists (select from queue.recipient r where r.message_id = m.id)
    returning m.id, m.body_id, m.first_seen
), a as (
    delete from queue.asked a using d where a.message_id = d.id
)
select body_id, first_seen from d

-- name: bounce_facts
-- What a bounce needs of the message.
select id, mail_from, body_id, size, first_seen, sender_mailbox, sender_limit, sender_limit_version, sender_address
  from queue.message where id = any($1::uuid[])
