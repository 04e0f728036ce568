-- name: lock_domains
-- The domains $1 and those whose catch-all has the target $2, in the order of names, so that two renames cannot deadlock.
-- Mail and logins are not held up.
select name from auth.domains where name = any($1::text[]) or catchall_targets @> array[$2::text]
 order by name for no key update

-- name: lock_mailbox
select id, state, domain, quota_limit from auth.mailboxes where address = $1 for update

-- name: same_customer
-- Whether the open domains $1 and $2, neither an alias, belong to the same customer; no row if $2 is not such a domain.
select d.customer_id is not distinct from old.customer_id as same
  from auth.domains d left join auth.domains old on old.name = $1
 where d.name = $2 and d.state = 'open' and d.alias_of is null

-- name: moving
select domain from auth.moves where domain = any($1::text[]) order by domain limit 1

-- name: targets
select targets from auth.forwards where address = $1

-- name: is_taken
select exists (select from auth.mailboxes where address = $1) or exists (select from auth.forwards where address = $1)

-- name: rename_mailbox
update auth.mailboxes set address = $2, domain = $3 where id = $1

-- name: move_grants
-- Domain of the mailbox in its grants, by which they are found.
update auth.grants set domain = $2 where mailbox_id = $1

-- name: move_forward
update auth.forwards set address = $2, domain = $3 where address = $1

-- name: retarget_forwards
-- Uses an index of targets (schema/directory.py). An address that is a target twice then is so once.
update auth.forwards
   set targets = case when $2 = any(targets) then array_remove(targets, $1) else array_replace(targets, $1, $2) end
 where targets @> array[$1::text]

-- name: retarget_catchalls
update auth.domains
   set catchall_targets = case when $2 = any(catchall_targets) then array_remove(catchall_targets, $1)
                               else array_replace(catchall_targets, $1, $2) end
 where catchall_targets @> array[$1::text]

-- name: keep_old_name
insert into auth.forwards (id, address, domain, targets, keep_copy, created_at) values ($1, $2, $3, array[$4::text], false, $5)
