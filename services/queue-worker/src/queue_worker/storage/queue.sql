-- name: enqueue
-- Insert new hand-overs with their messages and recipients; a repeated one, whose id is known, changes nothing. Returns
-- the new ids. One statement, because a round trip costs more than the rows. `is true` leads to a hashed subplan instead
-- of a join, which would be quadratic here (`mailkit.postgres.pool.PLANNER`).
with s as (
    insert into queue.submission (id, queue_id) select id, id from unnest($1::uuid[]) as t(id)
    on conflict (id) do nothing
    returning id
), m as (
    insert into queue.message (id, mail_from, body_id, size, first_seen, expires, account, client_address, eight_bit,
                               smtputf8, bounce, sender_mailbox, sender_limit, sender_limit_version)
    select id, mail_from, body_id, size, $13, $14, account, client_address, eight_bit, smtputf8, bounce, sender_mailbox,
           sender_limit, sender_limit_version
      from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::bool[], $8::bool[],
                  $9::bool[], $10::uuid[], $11::bigint[], $12::int[])
        as t(id, mail_from, body_id, size, account, client_address, eight_bit, smtputf8, bounce, sender_mailbox,
             sender_limit, sender_limit_version)
     where (id in (select id from s)) is true
), r as (
    insert into queue.recipient (message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version,
                                 looped, flow, via, state, due)
    select message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version, looped, flow,
           via, 'waiting', $13
      from unnest($15::uuid[], $16::smallint[], $17::text[], $18::text[], $19::text[], $20::uuid[], $21::bigint[],
                  $22::int[], $23::bool[], $24::uuid[], $25::text[])
        as t(message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version, looped, flow, via)
     where (message_id in (select id from s)) is true
)
select id from s

-- name: claim_local
-- Claim due recipients with a local mailbox, waiting ones and those of a worker whose lease has expired.
with c as (
    select message_id, n from queue.recipient
     where mailbox_id is not null and due <= $1 order by due limit $4 for update skip locked
), u as (
    update queue.recipient r
       set state = 'claimed', attempt = r.attempt + 1, worker = $2, claimed_at = $1, due = $3, dot_sent = false
      from c where r.message_id = c.message_id and r.n = c.n
    returning r.message_id, r.n, r.address, r.original, r.mailbox_id, r.quota_limit, r.limit_version, r.attempt,
              r.tries, r.looped
)
select u.*, m.mail_from, m.body_id, m.size, m.first_seen, m.expires, m.bounce
  from u join queue.message m on m.id = u.message_id

-- name: due_destinations
-- Walk over the (domain, flow) pairs after ($2, $3), with one index probe each whatever their number of recipients, and
-- find those that have something due.
with recursive d as (
    (select destination, flow, due from queue.recipient
      where mailbox_id is null and (destination, flow) > ($2, $3::uuid) order by destination, flow, due limit 1)
    union all
    select next.destination, next.flow, next.due
      from d cross join lateral (
        select r.destination, r.flow, r.due from queue.recipient r
         where r.mailbox_id is null and (r.destination, r.flow) > (d.destination, d.flow)
         order by r.destination, r.flow, r.due limit 1
      ) next
)
select destination, flow, due, due <= $1 as is_due from d limit $4

-- name: claim_remote
-- Claim due remote recipients, up to $4 for each pair of domain $5 and flow $6. `was_sent`: the last worker may have sent
-- its final dot, and no reply was recorded. An attempt that began before the database's last start or on another timeline
-- counts as such, since its mark may be lost (docs/decisions/0030).
with s as materialized (
    select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ' ' || extract(epoch from pg_postmaster_start_time()) as life
), c as (
    select r.message_id, r.n, r.was_sent
      from s, unnest($5::text[], $6::uuid[], $4::int[]) as d(destination, flow, most) cross join lateral (
        select message_id, n,
               state = 'claimed' and (dot_sent or database_life is distinct from s.life) as was_sent
          from queue.recipient
         where mailbox_id is null and destination = d.destination and flow = d.flow and due <= $1
         order by due limit d.most for update skip locked
      ) r
), u as (
    update queue.recipient r
       set state = 'claimed', attempt = r.attempt + 1, worker = $2, claimed_at = $1, due = $3, dot_sent = false,
           database_life = s.life
      from c, s where r.message_id = c.message_id and r.n = c.n
    returning r.message_id, r.n, r.destination, r.flow, r.address, r.original, r.attempt, r.tries,
              r.looped, r.via, c.was_sent
)
select u.*, m.mail_from, m.body_id, m.size, m.first_seen, m.expires, m.eight_bit, m.smtputf8, m.bounce
  from u join queue.message m on m.id = u.message_id

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
-- The only worker of a single machine starts: claims of an earlier one are due now. The fence holds if that one still runs.
update queue.recipient set due = $1 where state = 'claimed' and due > $1

-- name: mark_dot
-- Set the "dot sent" mark, fenced by attempt and unexpired lease (decision 6). The dot may be sent for the rows returned.
-- The mark must survive this worker, not the machine, so its commit does not wait for the flush.
update queue.recipient r set dot_sent = true
  from unnest($1::uuid[], $2::smallint[], $3::int[]) as t(message_id, n, attempt),
       (select set_config('synchronous_commit', 'off', true)) as this_transaction
 where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4
   and r.state = 'claimed' and r.due > $5
returning r.message_id, r.n

-- name: lock_messages
-- Workers that finish recipients of the same message do so in turn, so that the last one finds that it is the last.
select id from queue.message where id = any($1::uuid[]) order by id for update

-- name: finish
-- Move recipients from the queue to the history, fenced by their attempt.
with o as (
    select * from unnest($1::uuid[], $2::smallint[], $3::int[], $5::text[], $6::text[], $7::text[], $8::text[])
        as t(message_id, n, attempt, outcome, status, reply, remote_host)
), d as (
    delete from queue.recipient r using o
     where r.message_id = o.message_id and r.n = o.n and r.attempt = o.attempt and r.worker = $4 and r.state = 'claimed'
    returning r.message_id, r.n, r.address, r.original, r.mailbox_id, r.tries, r.in_doubt, o.outcome, o.status, o.reply,
              o.remote_host
)
insert into queue.finished (message_id, n, mail_from, address, original, mailbox_id, state, status, reply, remote_host,
                            tries, in_doubt, first_seen, finished_at)
select d.message_id, d.n, m.mail_from, d.address, d.original, d.mailbox_id, d.outcome, d.status, d.reply, d.remote_host,
       d.tries + 1, d.in_doubt, m.first_seen, $9
  from d join queue.message m on m.id = d.message_id
returning message_id, n

-- name: defer
-- Set recipients back to waiting, fenced by attempt, and add a row to the message's history.
with t as (
    select * from unnest($1::uuid[], $2::smallint[], $3::int[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
                         $9::text[], $10::text[])
        as t(message_id, n, attempt, due, outcome, status, reply, remote_host, diagnostic)
), w as (
    update queue.recipient r
       set state = 'waiting', worker = null, claimed_at = null, database_life = null, dot_sent = false, due = t.due, tries = r.tries + 1,
           in_doubt = r.in_doubt + (t.outcome = 'in_doubt')::int, status = t.status, reply = t.reply,
           remote_host = t.remote_host, diagnostic = t.diagnostic
      from t
     where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4 and r.state = 'claimed'
    returning r.message_id, r.n, t.attempt, t.outcome, t.status, t.reply, t.remote_host
)
insert into queue.attempt (message_id, n, attempt, at, outcome, status, reply, remote_host)
select message_id, n, attempt, $11, outcome, status, reply, remote_host from w
returning message_id, n

-- name: give_back
-- Set recipients back to waiting as if they had not been claimed.
update queue.recipient r
   set state = 'waiting', worker = null, claimed_at = null, database_life = null, dot_sent = false, due = t.due
  from unnest($1::uuid[], $2::smallint[], $3::int[], $5::timestamptz[]) as t(message_id, n, attempt, due)
 where r.message_id = t.message_id and r.n = t.n and r.attempt = t.attempt and r.worker = $4 and r.state = 'claimed'

-- name: drop_messages
-- Delete messages without recipients; their bodies lose the queue's reference.
delete from queue.message m
 where m.id = any($1::uuid[]) and not exists (select from queue.recipient r where r.message_id = m.id)
returning m.body_id, m.first_seen

-- name: bounce_facts
-- What a bounce needs of the message.
select id, mail_from, body_id, size, first_seen, sender_mailbox, sender_limit, sender_limit_version
  from queue.message where id = any($1::uuid[])

-- name: oldest
-- The oldest message under way: mailstore forgets hand-overs older than it (decision 3).
select id from queue.message order by id limit 1

-- name: referenced
-- Those of these bodies that a message under way refers to.
select distinct body_id from queue.message where body_id = any($1::uuid[])

-- name: depth
-- For metrics: recipients by kind and state among the first $1 of each kind, and the number of each kind by the last
-- vacuum's count of its index. The cost is bounded whatever the queue's length.
select kind, state, count(*) as recipients,
       (select greatest(reltuples, 0)::bigint from pg_class
         where oid = case kind when 'local' then to_regclass('queue.recipient_local_due')
                               else to_regclass('queue.recipient_remote_flow') end) as estimate
  from ((select 'local' as kind, state from queue.recipient where mailbox_id is not null order by due limit $1)
        union all
        (select 'remote', state from queue.recipient where mailbox_id is null order by destination, flow, due limit $1)) r
 group by kind, state

-- name: oldest_local
-- For metrics: the earliest due time of a recipient with a local mailbox. The walk finds that of the remote ones.
select due from queue.recipient where mailbox_id is not null order by due limit 1

-- name: window_end
-- The last of the $2 messages after $1; no row if there are fewer.
select id from queue.message where id > $1 order by id offset $2 - 1 limit 1

-- name: list_messages
-- Operators: messages under way, oldest first, after $1 up to $7; of sender $3, with a recipient $4, for domain $5, in state
-- $6. The first $8 recipients of each are named.
select m.id, m.mail_from, m.size, m.first_seen, m.expires, r.recipients, r.due, r.in_doubt, r.states, r.reply,
       f.addresses, f.originals, f.each_state, f.each_due, f.each_reply
  from (select m.* from queue.message m
         where m.id > $1 and ($7::uuid is null or m.id <= $7) and ($3::text is null or m.mail_from = $3)
           and exists (select from queue.recipient x
                        where x.message_id = m.id and ($4::text is null or x.address = $4 or x.original = $4)
                          and ($5::text is null or x.address like '%@' || $5) and ($6::text is null or x.state = $6))
         order by m.id limit $2) m
       cross join lateral (
         select count(*) as recipients, min(due) as due, sum(in_doubt) as in_doubt, array_agg(distinct state) as states,
                left((array_agg(reply order by n) filter (where reply <> ''))[1], 1000) as reply
           from queue.recipient where message_id = m.id
       ) r
       cross join lateral (
         select array_agg(address order by n) as addresses, array_agg(original order by n) as originals,
                array_agg(state order by n) as each_state, array_agg(due order by n) as each_due,
                array_agg(left(reply, 1000) order by n) as each_reply
           from (select * from queue.recipient where message_id = m.id order by n limit $8) first
       ) f
 order by m.id

-- name: show_message
select * from queue.message where id = $1

-- name: show_recipients
select * from queue.recipient where message_id = $1 and n > $2 order by n limit $3

-- name: show_finished
select * from queue.finished where message_id = $1 and n > $2 order by n limit $3

-- name: show_attempts
-- The last $3 earlier attempts of each of the recipients $2.
select a.* from unnest($2::smallint[]) as r(n) cross join lateral (
    select * from queue.attempt where message_id = $1 and n = r.n order by attempt desc limit $3
) a order by a.n, a.attempt

-- name: retry_window
-- The last of the $4 recipients after ($1, $2) of the messages up to $3; no row if there are fewer.
select message_id, n from queue.recipient
 where (message_id, n) > ($1, $2::smallint) and message_id <= $3 order by message_id, n offset $4 - 1 limit 1

-- name: retry_now
-- Operators: make waiting recipients after ($1, $2) up to ($3, $4) due now. Those being claimed at the moment are skipped.
with c as (
    select message_id, n from queue.recipient
     where state = 'waiting' and (message_id, n) > ($1, $2::smallint) and (message_id, n) <= ($3, $4::smallint)
       for update skip locked
)
update queue.recipient r set due = least(r.due, $5) from c where r.message_id = c.message_id and r.n = c.n
returning r.destination, r.flow

-- name: partitions
-- The partitions of a table, for maintenance.
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::text::regclass
