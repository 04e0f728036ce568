-- name: add_forward
insert into auth.forwards (id, address, domain, targets, keep_copy, created_at)
select $1, $2, d.name, $4, $5, $6 from auth.domains d where d.name = $3 and d.state = 'open'
    on conflict (address) do nothing
returning id

-- name: forwards
select id, address, targets, keep_copy, created_at from auth.forwards
 where ($1::text is null or address = $1) and ($2::text is null or domain = $2)
 order by address

-- name: delete_forward
delete from auth.forwards where address = $1
returning id

-- name: add_badmailfrom
insert into auth.badmailfrom (id, entry, created_at) values ($1, $2, $3)
    on conflict (entry) do nothing
returning id

-- name: badmailfrom
select id, entry, created_at from auth.badmailfrom where $1::text is null or entry = $1 order by entry

-- name: delete_badmailfrom
delete from auth.badmailfrom where entry = $1
returning id

-- name: grants
-- Grants that live at $1, of one client address, one mailbox, or all.
select g.id, g.address, g.mailbox_id, m.address as mailbox, g.granted_at, g.expires_at
  from auth.grants g
  join auth.mailboxes m on m.id = g.mailbox_id
 where g.expires_at > $1
   and ($2::text is null or g.address = $2)
   and ($3::text is null or m.address = $3)
   and ($4::uuid is null or g.id = $4)
 order by g.granted_at

-- name: revoke
delete from auth.grants where id = any($1::uuid[])
