-- name: add_forward
insert into auth.forwards (id, address, domain, targets, keep_copy, created_at)
select $1, $2, d.name, $4, $5, $6 from auth.domains d where d.name = $3 and d.state = 'open'
    on conflict (address) do nothing
returning id

-- name: set_forward
-- In place of the address's forward, if it has one.
insert into auth.forwards as f (id, address, domain, targets, keep_copy, created_at)
select $1, $2, d.name, $4, $5, $6 from auth.domains d where d.name = $3 and d.state = 'open'
    on conflict (address) do update set targets = excluded.targets, keep_copy = excluded.keep_copy
returning f.id

-- name: forward
select id, address, targets, keep_copy, created_at from auth.forwards where address = $1

-- name: forwards
-- A page of all forwards, above the address $1.
select id, address, targets, keep_copy, created_at from auth.forwards where address > $1 order by address limit $2

-- name: forwards_of
-- A page of the domain $3.
select id, address, targets, keep_copy, created_at from auth.forwards
 where domain = $3 and address > $1
 order by address limit $2

-- name: delete_forward
delete from auth.forwards where address = $1
returning id

-- name: add_badmailfrom
insert into auth.badmailfrom (id, entry, created_at) values ($1, $2, $3)
    on conflict (entry) do nothing
returning id

-- name: badmailfrom_entry
select id, entry, created_at from auth.badmailfrom where entry = $1

-- name: badmailfrom
-- A page above the entry $1.
select id, entry, created_at from auth.badmailfrom where entry > $1 order by entry limit $2

-- name: delete_badmailfrom
delete from auth.badmailfrom where entry = $1
returning id

-- name: grant
-- The grant $2, if it is unexpired at $1.
select g.id, g.address, g.mailbox_id, m.address as mailbox, g.granted_at, g.expires_at
  from auth.grants g
  join auth.mailboxes m on m.id = g.mailbox_id
 where g.expires_at > $1 and g.id = $2

-- name: grants
-- A page of the grants unexpired at $1, above the key ($2, $3).
select g.id, g.address, g.mailbox_id, g.granted_at, g.expires_at,
       (select m.address from auth.mailboxes m where m.id = g.mailbox_id) as mailbox
  from auth.grants g
 where g.expires_at > $1 and (g.address, g.mailbox_id) > ($2, $3::uuid)
 order by g.address, g.mailbox_id limit $4

-- name: grants_of_client
-- A page of the client address $5.
select g.id, g.address, g.mailbox_id, g.granted_at, g.expires_at,
       (select m.address from auth.mailboxes m where m.id = g.mailbox_id) as mailbox
  from auth.grants g
 where g.expires_at > $1 and g.address = $5 and (g.address, g.mailbox_id) > ($2, $3::uuid)
 order by g.address, g.mailbox_id limit $4

-- name: grants_of_mailbox
-- A page of the mailbox $5, only of the client address $6 if one is given.
select g.id, g.address, g.mailbox_id, m.address as mailbox, g.granted_at, g.expires_at
  from auth.mailboxes m
  join auth.grants g on g.mailbox_id = m.id
 where g.expires_at > $1 and m.address = $5 and ($6::text is null or g.address = $6)
   and (g.address, g.mailbox_id) > ($2, $3::uuid)
 order by g.address, g.mailbox_id limit $4

-- name: revoke
delete from auth.grants g using auth.mailboxes m where g.id = any($1::uuid[]) and m.id = g.mailbox_id
returning g.address, g.mailbox_id, m.address as mailbox
