-- name: unfilled_of
-- Rows of a folder after UID $3 whose keys are not there yet, while their envelopes have about $5 octets; from the index of such.
select uid, envelope
  from (select *, sum(octet_length(envelope)) over (order by uid) - octet_length(envelope) as before
          from (select uid, envelope from mailstore.rendered
                 where mailbox_id = $1 and folder_id = $2 and message_id is null and uid > $3 order by uid limit $4) as r) as r
 where before < $5 order by uid

-- name: sorted
-- One array, as `matching` of search.sql. sort.py inserts what is joined, the condition of search.py with its arguments, and the order.
select array_agg(m.uid order by $order m.uid) as uids from mailstore.message m $joined
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition

-- name: order_size
-- At most so many messages of a folder have UIDs above $3.
select least(messages, uidnext - 1 - $3) from mailstore.folder where mailbox_id = $1 and folder_id = $2

-- name: in_order
-- UIDs above $3 in order, and what is compared, as the octets of arrays of 64-bit numbers. sort.py inserts the column and the direction.
select m.uids, m.compared, exists (
           select from mailstore.rendered r where r.mailbox_id = $1 and r.folder_id = $2 and r.message_id is null) as unfilled
  from mailstore.folder f
  left join lateral (
       select array_send(array_agg(uid)) as uids, array_send(array_agg(compared)) as compared
         from (select uid, $column as compared from mailstore.message m
                where m.mailbox_id = $1 and m.folder_id = $2 and m.uid > $3 order by compared $direction, uid) as m) m on true
 where f.mailbox_id = $1 and f.folder_id = $2

-- name: compared
-- What THREAD compares of the next messages.
select m.uid, extract(epoch from coalesce(m.sent_at, $sent m.internaldate))::float8 as sent, $columns
  from mailstore.message m $joined
 where m.mailbox_id = $1 and m.folder_id = $2 and $condition and m.uid > $after::bigint order by m.uid limit $limit
