-- name: make
-- Of accounts that have relayed nothing yet, or not for two days.
insert into auth.relay_rates (mailbox_id, at, messages, recipients)
select mailbox_id, $2, array_fill(0, array[51]), array_fill(0, array[51]) from unnest($1::uuid[]) as q (mailbox_id)
 order by mailbox_id
    on conflict (mailbox_id) do nothing

-- name: charge
-- Counts are in rings: 13 parts of 5 seconds, 13 of 5 minutes, 25 of an hour, so that a window holds its minute, hour or day
-- and up to one part more. Rows are locked in key order, and their latest version is read: exact over replicas. Null: no limit.
with q as (
    select * from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[],
                         $8::bigint[], $9::bigint[], $10::bigint[])
        as q (mailbox_id, asked, beginning, others, m1, m2, m3, r1, r2, r3)
), part as (
    select i, w, n, i - first as k
      from (values (1, 13, 5, 13), (14, 26, 300, 13), (27, 51, 3600, 25)) as ring (first, last, w, n)
     cross join lateral generate_series(first, last) as i
), locked as materialized (
    select r.mailbox_id, r.at, r.messages, r.recipients, extract(epoch from r.at)::bigint as before,
           extract(epoch from greatest(r.at, $11::timestamptz))::bigint as now
      from auth.relay_rates r
     where r.mailbox_id = any($1)
     order by r.mailbox_id
       for no key update
), rolled as (
    select l.mailbox_id, l.now,
           array_agg(case when part.live then l.messages[part.i] else 0 end order by part.i) as messages,
           array_agg(case when part.live then l.recipients[part.i] else 0 end order by part.i) as recipients
      from locked l
     cross join lateral (
           -- the part k holds what was counted in the last period of that remainder; one that has left the window is empty
           select i, l.before / w - mod(l.before / w - k, n) > l.now / w - n as live from part) part
     group by l.mailbox_id, l.now
), found as (
    select q.*, r.now, r.messages, r.recipients,
           least(q.m1 - (select sum(x) from unnest(r.messages[1:13]) x), q.m2 - (select sum(x) from unnest(r.messages[14:26]) x),
                 q.m3 - (select sum(x) from unnest(r.messages[27:51]) x), 1000000000)::bigint as messages_left,
           least(q.r1 - (select sum(x) from unnest(r.recipients[1:13]) x), q.r2 - (select sum(x) from unnest(r.recipients[14:26]) x),
                 q.r3 - (select sum(x) from unnest(r.recipients[27:51]) x), 1000000000)::bigint as recipients_left
      from q join rolled r on r.mailbox_id = q.mailbox_id
), charged as (
    select f.*,
           case when $12 and messages_left >= asked and recipients_left > 0 then asked else 0 end as new_messages,
           case when $12 then greatest(0, least(recipients_left, others + case when messages_left >= asked then beginning else 0 end))
                else 0 end as new_recipients
      from found f
)
update auth.relay_rates u
   set at = greatest(u.at, $11),
       messages = array(select x + case when i in (mod(c.now / 5, 13) + 1, mod(c.now / 300, 13) + 14, mod(c.now / 3600, 25) + 27)
                                        then c.new_messages else 0 end
                          from unnest(c.messages) with ordinality as t (x, i) order by i),
       recipients = array(select x + case when i in (mod(c.now / 5, 13) + 1, mod(c.now / 300, 13) + 14, mod(c.now / 3600, 25) + 27)
                                          then c.new_recipients else 0 end
                            from unnest(c.recipients) with ordinality as t (x, i) order by i)
  from charged c
 where u.mailbox_id = c.mailbox_id
returning u.mailbox_id, c.messages_left, c.recipients_left
