-- name: add_domain
-- An alias belongs to its domain's customer unless another one is given.
insert into auth.domains (id, name, created_at, identity_signing, alias_of, customer_id)
values ($1, $2, $3, $4, $5, coalesce($6, (select r.customer_id from auth.domains r where r.name = $5)))
    on conflict (name) do nothing
returning id

-- name: domain
-- A domain with its catch-all's mailbox and its postmaster.
select d.id, d.name, d.state, d.catchall, d.catchall_targets, d.created_at, d.alias_of, d.tags, d.signing, d.rule, d.identity, d.identity_by,
       (select o.name from auth.customers o where o.id = d.customer_id) as customer,
       (select c.address from auth.mailboxes c where c.id = d.catchall_mailbox) as catchall_mailbox,
       (select p.id from auth.mailboxes p where p.address = 'postmaster@' || d.name) as postmaster_id,
       (select count(*) from auth.mailboxes m where m.domain = d.name) as mailboxes
  from auth.domains d
 where d.name = $1

-- name: domains
-- A page of domains above the name $1. Sub-selects and no joins: a join may be planned as a scan of all mailboxes.
select d.id, d.name, d.state, d.catchall, d.catchall_targets, d.created_at, d.alias_of, d.tags, d.signing, d.rule, d.identity, d.identity_by,
       (select o.name from auth.customers o where o.id = d.customer_id) as customer,
       (select c.address from auth.mailboxes c where c.id = d.catchall_mailbox) as catchall_mailbox,
       (select p.id from auth.mailboxes p where p.address = 'postmaster@' || d.name) as postmaster_id,
       (select count(*) from auth.mailboxes m where m.domain = d.name) as mailboxes
  from auth.domains d
 where d.name > $1
 order by d.name limit $2

-- name: domains_of
-- A page of the domains of the customer $3, above the name $1.
select d.id, d.name, d.state, d.catchall, d.catchall_targets, d.created_at, d.alias_of, d.tags, d.signing, d.rule, d.identity, d.identity_by,
       (select o.name from auth.customers o where o.id = d.customer_id) as customer,
       (select c.address from auth.mailboxes c where c.id = d.catchall_mailbox) as catchall_mailbox,
       (select p.id from auth.mailboxes p where p.address = 'postmaster@' || d.name) as postmaster_id,
       (select count(*) from auth.mailboxes m where m.domain = d.name) as mailboxes
  from auth.domains d
 where d.customer_id = $3 and d.name > $1
 order by d.customer_id, d.name limit $2

-- name: lock_domain
-- For a change during which no mailbox may be added.
select state from auth.domains where name = $1 for update

-- name: share_domain
-- For a new mailbox or alias domain: the domain stays open until the transaction ends.
select state, alias_of from auth.domains where name = $1 for share

-- name: an_alias
select name from auth.domains where alias_of = $1 limit 1

-- name: others_than_postmaster
select count(*) from auth.mailboxes where domain = $1 and address <> 'postmaster@' || $1

-- name: close_domain
update auth.domains set state = 'closing', catchall = 'bounce', catchall_mailbox = null, catchall_targets = null
 where name = $1

-- name: close_postmaster
update auth.mailboxes
   set state = 'purging', password_hash = null, credential_version = credential_version + 1
 where address = 'postmaster@' || $1::text and state <> 'purging'

-- name: delete_mailboxes_of
delete from auth.mailboxes where domain = $1

-- name: delete_domain
delete from auth.domains where name = $1

-- name: set_catchall
update auth.domains set catchall = $2, catchall_mailbox = $3, catchall_targets = $4 where name = $1 and state = 'open' and alias_of is null
returning id

-- name: set_tags
update auth.domains set tags = $2 where name = $1 returning id

-- name: set_identity
update auth.domains set identity = $2, identity_by = coalesce($3, identity_by)
 where name = $1 and not (signing and $2 is not distinct from 'off')
returning id

-- name: add_mailbox
insert into auth.mailboxes (id, address, domain, password_hash, quota_limit, created_at)
values ($1, $2, $3, $4, $5, $6)
    on conflict (address) do nothing
returning id

-- name: mark_at_old_host
insert into auth.moving_mailboxes (mailbox_id) values ($1)

-- name: exists
select true from auth.mailboxes where address = $1

-- name: mailbox
select m.id, m.address, m.domain, m.state, m.password_hash is not null as has_password, m.main_password,
       m.credential_version,
       m.quota_limit, m.limit_version, m.last_pop3_login, m.created_at
  from auth.mailboxes m
 where m.address = $1

-- name: mailboxes
-- A page of the domain $3, above the address $1.
select m.id, m.address, m.domain, m.state, m.password_hash is not null as has_password, m.main_password,
       m.credential_version,
       m.quota_limit, m.limit_version, m.last_pop3_login, m.created_at
  from auth.mailboxes m
 where m.domain = $3 and m.address > $1
 order by m.address limit $2

-- name: set_password
update auth.mailboxes set password_hash = $2, credential_version = credential_version + 1
 where address = $1 and state <> 'purging'
returning id

-- name: drop_verifier
delete from auth.scram_verifiers v using auth.mailboxes m where m.address = $1 and v.mailbox_id = m.id

-- name: keep_verifier
-- Of the password that the same transaction has set.
insert into auth.scram_verifiers (mailbox_id, credential_version, salt, iterations, stored_key, server_key, made_at)
select m.id, m.credential_version, $2, $3, $4, $5, $6 from auth.mailboxes m where m.address = $1

-- name: set_quota
update auth.mailboxes set quota_limit = $2, limit_version = limit_version + 1
 where address = $1
returning id

-- name: disable
-- The new version ends open sessions; a mailbox that is being purged stays in that state.
update auth.mailboxes
   set credential_version = credential_version + case when state = 'enabled' then 1 else 0 end,
       state = case when state = 'purging' then state else $2 end
 where address = $1
returning id

-- name: enable
update auth.mailboxes set state = 'enabled' where address = $1 and state <> 'purging'
returning id

-- name: drop_grants
-- After the change, in a statement of its own: it must see a grant that a login committed while the change waited.
delete from auth.grants where mailbox_id = $1

-- name: delete_mailbox
delete from auth.mailboxes where address = $1 and state <> 'enabled'
returning id
