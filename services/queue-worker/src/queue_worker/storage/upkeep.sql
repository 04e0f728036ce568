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
