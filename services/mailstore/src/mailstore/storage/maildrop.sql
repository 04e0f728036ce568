-- name: take_maildrop
-- Takes the POP3 lock if it is free, expired or this session's; not for a session whose close arrived before its open.
insert into mailstore.maildrop_lease as l (mailbox_id, session_id, until)
select $1, $2, $4 where not exists (select from mailstore.operation where mailbox_id = $1 and id = $2)
on conflict (mailbox_id) do update set session_id = excluded.session_id, until = excluded.until
 where l.until < $3 or l.session_id = excluded.session_id
returning mailbox_id

-- name: maildrop_messages
-- Sizes as POP3 sends the messages: a last line without CRLF gets one (RFC 1939 3, 11).
select uid, size + case when open_end then 2 else 0 end as size, uidl from mailstore.message where mailbox_id = $1 and folder_id = 1 order by uid

-- name: renew_maildrops
update mailstore.maildrop_lease l set until = $4
  from unnest($1::uuid[], $2::uuid[]) as t(mailbox_id, session_id)
 where l.mailbox_id = t.mailbox_id and l.session_id = t.session_id and l.until > $3
returning l.mailbox_id, l.session_id

-- name: free_maildrop
-- Returns no row if the lock was lost.
delete from mailstore.maildrop_lease where mailbox_id = $1 and session_id = $2 and until > $3 returning mailbox_id
