-- name: oldest
-- The oldest message under way: mailstore forgets hand-overs older than it (decision 3).
select id from queue.message order by id limit 1

-- name: referenced
-- Those of these bodies that a message under way refers to.
select distinct body_id from queue.message where body_id = any($1::uuid[])

-- name: depth
-- For metrics: recipients under way by kind, summed up from what entered and left; the rows read become one.
with read as (
    delete from queue.depth_change where id > 0 returning local, remote
)
insert into queue.depth_change (local, remote) select coalesce(sum(local), 0), coalesce(sum(remote), 0) from read
returning local, remote

-- name: claimed
-- For metrics: recipients in hand by kind, those whose leases end between $1 and $2; up to $3 of each kind are looked at.
select 'local' as kind, count(*) filter (where state = 'claimed') as recipients
  from (select state from queue.recipient where mailbox_id is not null and due > $1 and due <= $2 order by due limit $3) r
union all
select 'remote', count(*) filter (where state = 'claimed')
  from (select state from queue.recipient where destination <> '' and due > $1 and due <= $2 order by due limit $3) r

-- name: oldest_local
-- For metrics: the earliest due time after $1 of a recipient with a local mailbox. The walk finds that of the remote ones.
select due from queue.recipient where mailbox_id is not null and due > $1 order by due limit 1
