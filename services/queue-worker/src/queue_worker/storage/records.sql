-- name: window_end
-- The message of the $2-th recipient after message $1; no row if there are fewer.
select message_id from queue.recipient where message_id > $1 order by message_id, n offset $2 - 1 limit 1

-- name: matching
-- Recipients of the messages after $1 up to $2 that a filter matches: of the messages $3, of sender $4, of account $5, accepted
-- at $6 or before, at $7 or later; with the address $8, in the domain $9, in state $10, with the text $11 in the last reply.
-- `place`: where the row is, by which a statement that includes this one finds it again.
select m.id as message_id, r.n, case when r.held_at is not null and r.state = 'waiting' then 'held' else r.state end as state,
       r.mailbox_id is null as remote, r.ctid as place
  from queue.message m join queue.recipient r on r.message_id = m.id
 where m.id > $1 and m.id <= $2 and ($3::uuid[] is null or m.id = any($3)) and ($4::text is null or m.mail_from = $4)
   and ($5::uuid is null or m.account = $5) and ($6::timestamptz is null or m.first_seen <= $6)
   and ($7::timestamptz is null or m.first_seen >= $7) and ($8::text is null or r.address = $8 or r.original = $8)
   and ($9::text is null or r.destination = $9 or right(lower(r.address), length($9) + 1) = '@' || $9)
   and ($10::text is null or case when r.held_at is not null and r.state = 'waiting' then 'held' else r.state end = $10)
   and ($11::text is null or strpos(lower(r.reply), lower($11)) > 0)
 order by m.id, r.n

-- name: matching_messages
-- The first $12 messages with recipients that `matching` finds.
select message_id from (
{matching}
) m group by message_id order by message_id limit $12

-- name: top
-- The recipients that `matching` finds, counted by $12: sender, account, reply (its beginning) or the domain of the address.
with m as materialized (
{matching}
)
select case $12 when 'sender' then q.mail_from when 'account' then coalesce(q.account::text, '') when 'reply' then left(r.reply, 200)
            else lower(substr(r.address, length(r.address) - position('@' in reverse(r.address)) + 2)) end as key,
       count(*) as recipients, count(*) filter (where m.state = 'waiting') as waiting,
       count(*) filter (where m.state = 'claimed') as claimed, count(*) filter (where m.state = 'held') as held,
       min(q.first_seen) as oldest
  from m join queue.recipient r on r.message_id = m.message_id and r.n = m.n join queue.message q on q.id = m.message_id
 group by 1

-- name: unknown
-- One of the ids $1 that is neither a message under way nor in the history.
select id from unnest($1::uuid[]) as t(id)
 where not exists (select from queue.message m where m.id = t.id)
   and not exists (select from queue.ended e where e.message_id = t.id)
   and not exists (select from queue.finished f where f.message_id = t.id)
 limit 1

-- name: list_messages
-- Messages under way of the ids $1, oldest first. The first $2 recipients of each are named.
select m.id, m.mail_from, m.size, m.first_seen, m.expires, r.recipients, r.due, r.in_doubt, r.states, r.reply,
       f.addresses, f.originals, f.each_state, f.each_due, f.each_reply
  from queue.message m
       cross join lateral (
         select count(*) as recipients, min(due) as due, sum(in_doubt) as in_doubt,
                array_agg(distinct case when held_at is not null and state = 'waiting' then 'held' else state end) as states,
                left((array_agg(reply order by n) filter (where reply <> ''))[1], 1000) as reply
           from queue.recipient where message_id = m.id
       ) r
       cross join lateral (
         select array_agg(address order by n) as addresses, array_agg(original order by n) as originals,
                array_agg(case when held_at is not null and state = 'waiting' then 'held' else state end order by n) as each_state,
                array_agg(due order by n) as each_due,
                array_agg(left(reply, 1000) order by n) as each_reply
           from (select * from queue.recipient where message_id = m.id order by n limit $2) first
       ) f
 where m.id = any($1::uuid[]) and r.recipients > 0
 order by m.id

-- name: show_message
select * from queue.message where id = $1

-- name: show_recipients
select *, mailbox_id is not null as local from queue.recipient where message_id = $1 and n > $2 order by n limit $3

-- name: show_finished
select h.n, h.address, h.original, h.local, h.state, h.tries, h.in_doubt, h.status, h.reply, h.remote_host, h.finished_at,
       coalesce(h.mail_from, s.mail_from, '') as mail_from, coalesce(h.first_seen, s.at, h.finished_at) as first_seen
  from queue.history h left join queue.submission s on s.id = h.message_id
 where h.message_id = $1 and h.n > $2 order by h.n limit $3

-- name: show_attempts
-- The last $3 earlier attempts of each of the recipients $2.
select a.* from unnest($2::smallint[]) as r(n) cross join lateral (
    select * from queue.attempt where message_id = $1 and n = r.n order by attempt desc limit $3
) a order by a.n, a.attempt
