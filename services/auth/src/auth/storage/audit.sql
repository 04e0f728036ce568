-- name: page
-- Below the number $1, the latest first: of the actor $2, the object $3, since $4, of the customer $5 or domain $6 of a confined caller.
select number, at, actor, role, token_id, case when ($5::uuid is null and $6::text is null) or role <> 'operator' then source end as source,
       action, change, kind, object, domain, before::text, after::text
  from auth.audit
 where number < $1 and ($2::text is null or actor = $2) and ($3::text is null or object = $3) and ($4::timestamptz is null or at >= $4)
   and ($5::uuid is null or customer_id = $5) and ($6::text is null or domain = $6)
 order by number desc limit $7

-- name: remove
select auth.remove_audit($1, 10000)
