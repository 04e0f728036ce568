-- name: of
select id, name, protocols, networks, expires_at, created_at, last_used_at, last_used_from
  from auth.app_passwords
 where mailbox_id = $1
 order by name

-- name: lock
-- For the count of its app passwords, and for a change of how it logs in.
select id from auth.mailboxes where address = $1 and state <> 'purging' for no key update

-- name: make
insert into auth.app_passwords (id, mailbox_id, name, selector, digest, protocols, networks, expires_at, created_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9
 where (select count(*) from auth.app_passwords where mailbox_id = $2) < $10
    on conflict do nothing
returning id, name, protocols, networks, expires_at, created_at, last_used_at, last_used_from

-- name: revoke
delete from auth.app_passwords p using auth.mailboxes m where m.address = $1 and p.mailbox_id = m.id and p.id = $2
returning p.mailbox_id, p.name

-- name: set_main
-- The new version ends sessions of the main password, and the memory of it in all replicas.
update auth.mailboxes
   set main_password = $2, credential_version = credential_version + case when $2 then 0 else 1 end
 where id = $1 and main_password <> $2
returning id

-- name: drop_grants
delete from auth.grants where mailbox_id = $1
