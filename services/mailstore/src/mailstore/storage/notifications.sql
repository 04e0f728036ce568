-- name: notify
select pg_notify('postrider_mailboxes', payload) from unnest($1::text[]) as t(payload)
