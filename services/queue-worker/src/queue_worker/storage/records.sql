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
