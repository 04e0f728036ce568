-- name: note_fetched
insert into mailstore.fetched (body_id, mailbox_id, at, protocol)
select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[]) on conflict (body_id, mailbox_id) do nothing

-- name: of_messages
-- What happened to the messages $1, the first of which is $2; of $3 hand-overs at most, and the last $4 events of each mailbox.
with f as materialized (
    select queue_id, mailbox_id, body_id, at from mailstore.filed where queue_id = any($1::uuid[]) and at is not null limit $3
), m as materialized (
    select mailbox_id, array_agg(distinct body_id) as wanted from f group by mailbox_id
), e as materialized (
    select v.* from m cross join lateral (
           select * from mailstore.event v where v.mailbox_id = m.mailbox_id and v.id > $2 order by v.id desc limit $4) as v
     where v.bodies && m.wanted or v.kind = 'purged'
)
select queue_id, mailbox_id, at, 'filed' as event, 'INBOX' as folder, '' as protocol from f
union all
select f.queue_id, f.mailbox_id, t.at, 'fetched', '', t.protocol
  from f join mailstore.fetched t on t.body_id = f.body_id and t.mailbox_id = f.mailbox_id
union all
select f.queue_id, f.mailbox_id, e.at, e.kind, e.folder, e.protocol
  from f join e on e.mailbox_id = f.mailbox_id and e.at >= f.at and (f.body_id = any(e.bodies) or e.kind = 'purged')
 order by at

-- name: of_mailbox
select id, at, kind as event, folder, protocol, messages from mailstore.event
 where mailbox_id = $1 and id > $2 and id < $3 order by id desc limit $4
