-- name: all
-- At most $1: `start` refuses more.
select domain, phase, imap_host, imap_port, pop3_host, pop3_port, networks from auth.moves order by domain limit $1

-- name: at_old_host
-- Which of these mailboxes a login at the old host made.
select mailbox_id from auth.moving_mailboxes where mailbox_id = any($1::uuid[])

-- name: domain
select state, alias_of from auth.domains where name = $1 for update

-- name: another
-- Whether there are $2 moves of other domains than $1.
select count(*) >= $2 from (select from auth.moves where domain <> $1 limit $2) as others

-- name: start
insert into auth.moves (domain, phase, imap_host, imap_port, pop3_host, pop3_port, networks, started_at, changed_at)
values ($1, 'old', $2, $3, $4, $5, $6, $7, $7)
    on conflict (domain) do update
   set imap_host = excluded.imap_host, imap_port = excluded.imap_port, pop3_host = excluded.pop3_host,
       pop3_port = excluded.pop3_port, networks = excluded.networks, changed_at = excluded.changed_at

-- name: turn
-- Only from the other phase, or again to `new`, which takes in what a login has made since.
update auth.moves set phase = $2, changed_at = $3 where domain = $1 returning domain

-- name: here
-- The mailboxes of the domain are here from now on.
delete from auth.moving_mailboxes v using auth.mailboxes m where m.domain = $1 and v.mailbox_id = m.id

-- name: end_sessions
-- Open sessions are at the wrong host: a new credential version ends them. In key order, as logins lock.
with mine as (select id from auth.mailboxes where domain = $1 order by id for no key update)
update auth.mailboxes m set credential_version = m.credential_version + 1 from mine where m.id = mine.id

-- name: end
delete from auth.moves where domain = $1 and phase = 'new' returning domain

-- name: move
select v.domain, v.phase, v.imap_host, v.imap_port, v.pop3_host, v.pop3_port, v.networks, v.started_at, v.changed_at,
       (select count(*) from auth.mailboxes m where m.domain = v.domain) as mailboxes,
       (select count(*) from auth.mailboxes m join auth.moving_mailboxes o on o.mailbox_id = m.id
         where m.domain = v.domain) as made_by_login
  from auth.moves v
 where v.domain = $1

-- name: moves
-- A page above the domain $1.
select v.domain, v.phase, v.imap_host, v.imap_port, v.pop3_host, v.pop3_port, v.networks, v.started_at, v.changed_at,
       null::bigint as mailboxes, null::bigint as made_by_login
  from auth.moves v
 where v.domain > $1
 order by v.domain limit $2

-- name: set_hash
-- The password of the old host, unless it was changed here meanwhile.
update auth.mailboxes set password_hash = $3, credential_version = credential_version + 1
 where id = $1 and credential_version = $2 and state = 'enabled'
returning address

-- name: drop_grants
delete from auth.grants where mailbox_id = $1
