-- name: window_start
-- The message of the $3-th hand-over before $2 and after $1; no row if there are fewer.
select id from queue.submission where id > $1 and id < $2 order by id desc offset $3 - 1 limit 1

-- name: within
-- Messages between $1 and $2, the latest first, of the sender $3 or with the recipient $3, from client $4, tried at host $5, by right $8;
-- only those of the ids $7, if given. `count`, not `exists`, which would be planned as a scan of the whole table.
select s.id from queue.submission s
 where s.id > $1 and s.id < $2 and ($7::uuid[] is null or s.id = any($7)) and ($4::text is null or s.client_address = $4)
   and ($8::text is null or s.by = $8)
   and ($3::text is null or lower(s.mail_from) = $3
        or (select count(*) from queue.recipient r where r.message_id = s.id and $3 in (lower(r.address), lower(r.original), lower(r.via))) > 0
        or (select count(*) from queue.history f where f.message_id = s.id and $3 in (lower(f.address), lower(f.original), lower(f.via))) > 0)
   and ($5::text is null
        or (select count(*) from queue.recipient r where r.message_id = s.id and r.remote_host = $5) > 0
        or (select count(*) from queue.attempt a where a.message_id = s.id and a.remote_host = $5) > 0
        or (select count(*) from queue.history f where f.message_id = s.id and f.remote_host = $5) > 0)
 order by s.id desc limit $6

-- name: of_account
-- Messages of account $3 between $1 and $2, the latest first.
select id from queue.submission where account = $3 and id > $1 and id < $2 order by id desc limit $4

-- name: with_header
-- Messages with the Message-ID $3 between $1 and $2, the latest first.
select id from queue.submission
 where hashtext(header_id) = hashtext($3) and header_id = $3 and id > $1 and id < $2 order by id desc limit $4

-- name: accepted
-- How the messages $1 came, the latest first.
select s.id, s.at, s.mail_from, s.size, s.account, s.account_address, s.by, s.granted_at, s.client_address, s.listener, s.tls,
       s.helo, s.header_id, s.bounce_of, s.verdicts
  from queue.submission s where s.id = any($1::uuid[]) order by s.id desc

-- name: events
-- What happened to the messages $1 since: attempts, and for each of the first $2 recipients where it is now.
select message_id, n, at, outcome as event, null as recipient, status, reply, remote_host, connection, false as remote,
       null as via, null as sender
  from queue.attempt where message_id = any($1::uuid[]) and n < $2
union all
select message_id, n, at, 'delay_noted', null, '', 'the sender was notified by ' || replace(notice::text, '-', ''), null, null, false, null, null
  from queue.attempt where message_id = any($1::uuid[]) and n < $2 and notice is not null
union all
select message_id, n, finished_at, state, address, status, reply, remote_host, connection, not local, via, sender
  from queue.history where message_id = any($1::uuid[]) and n < $2
union all
select message_id, n, case when state = 'waiting' and held_at is null then due end,
       case when held_at is not null and state = 'waiting' then 'held' else state end, address, status, reply, remote_host, null,
       mailbox_id is null, nullif(via, ''), nullif(sender, '')
  from queue.recipient where message_id = any($1::uuid[]) and n < $2

-- name: acts
-- What operators did to the first $2 recipients of the messages $1.
select r.message_id, r.n, r.address, o.at, o.action, o.actor, o.reason, o.kind, o.value
  from (select message_id, n, address, acted from queue.recipient where message_id = any($1::uuid[]) and n < $2 and acted is not null
        union all
        select message_id, n, address, acted from queue.history where message_id = any($1::uuid[]) and n < $2 and acted is not null) r
       cross join lateral unnest(r.acted) as a(id)
       join queue.operation o on o.id = a.id

-- name: standing
-- The last $3 pauses, routes and their ends of each kind and value in $1 and $2, the latest first.
select o.at, o.action, o.actor, o.reason, o.kind, o.value
  from unnest($1::text[], $2::text[]) as k(kind, value)
       cross join lateral (select * from queue.operation o where o.kind = k.kind and o.value = k.value order by o.id desc limit $3) o
