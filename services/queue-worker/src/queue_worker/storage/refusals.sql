-- name: record
-- Insert refusals; of a repeated list nothing twice. Return the ids of the new ones.
insert into queue.refusal (id, at, client_address, listener, tls, helo, by, account, account_address, mail_from, recipients,
                           recipient_count, size, command, rule, reply, times, verdicts)
select * from unnest($1::queue.new_refusal_2[]) on conflict (id) do nothing returning id

-- name: window_start
-- The $3-th refusal before $2 and after $1; no row if there are fewer.
select id from queue.refusal where id > $1 and id < $2 order by id desc offset $3 - 1 limit 1

-- name: account_start
-- The $4-th refusal of account $3 before $2 and after $1; no row if there are fewer.
select id from queue.refusal where account = $3 and id > $1 and id < $2 order by id desc offset $4 - 1 limit 1

-- name: within
-- Refusals between $1 and $2, the latest first: of account $3, from or to address $4, from client $5, by rule $6.
select id, at, client_address, listener, tls, helo, by, account, account_address, mail_from as sender, recipients, recipient_count,
       size, command, rule, reply, times, verdicts
  from queue.refusal
 where id > $1 and id < $2 and ($3::uuid is null or account = $3)
   and ($4::text is null or lower(mail_from) = $4 or lower(recipients::text)::text[] @> array[$4])
   and ($5::text is null or client_address = $5) and ($6::text is null or rule = $6)
 order by id desc limit $7
