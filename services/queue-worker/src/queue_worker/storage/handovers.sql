-- name: enqueue
-- Insert new hand-overs with their messages ($1) and recipients ($2); a repeated one, whose id is known, changes nothing.
-- Returns the new ids. One statement, because a round trip costs more than the rows. `is true` leads to a hashed subplan
-- instead of a join, which would be quadratic here (`mailkit.postgres.pool.PLANNER`).
with t as (
    select * from unnest($1::queue.new_message_3[])
), s as (
    insert into queue.submission (id, queue_id, at, mail_from, size, account, client_address, listener, tls, helo, by,
                                  account_address, granted_at, header_id, bounce_of, verdicts)
    select id, id, $3, mail_from, size, account, client_address, listener, tls, helo, by, account_address, granted_at,
           header_id, bounce_of, verdicts
      from t
    on conflict (id) do nothing
    returning id
), m as (
    insert into queue.message (id, mail_from, body_id, size, first_seen, expires, account, client_address, eight_bit,
                               smtputf8, bounce, sender_mailbox, sender_limit, sender_limit_version, folder, flags, dmarc_failed)
    select id, mail_from, body_id, size, $3, $4, account, client_address, eight_bit, smtputf8, bounce, sender_mailbox,
           sender_limit, sender_limit_version, folder, flags, dmarc_failed
      from t where (id in (select id from s)) is true
), r as (
    insert into queue.recipient (message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version,
                                 looped, flow, via, sender, state, due)
    select message_id, n, destination, address, original, mailbox_id, quota_limit, limit_version, looped, flow, via, sender,
           'waiting', $3
      from unnest($2::queue.new_recipient_2[]) where (message_id in (select id from s)) is true
)
select id from s

-- name: note_asked
-- Insert what senders asked about notifications of recipients and about TLS; few ask.
insert into queue.asked (message_id, n, notify, orcpt, ret, envid, tls)
select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])

-- name: note_traced
-- Keep the trace that a message belongs to; with tracing off, none does.
update queue.message m set traceparent = t.traceparent from unnest($1::uuid[], $2::text[]) as t(id, traceparent) where m.id = t.id

-- name: note_leading
-- Keep where bounces go whose senders are addresses of ours that lead elsewhere; few are.
update queue.message m set sender_address = t.address from unnest($1::uuid[], $2::text[]) as t(id, address) where m.id = t.id
