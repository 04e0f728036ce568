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
