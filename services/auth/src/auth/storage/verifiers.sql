-- name: secret
select value from auth.secrets where name = 'scram'

-- name: keep
-- Keep verifiers of passwords that were right at these credential versions; a newer one stays. Rows in key order.
insert into auth.scram_verifiers as v (mailbox_id, credential_version, salt, iterations, stored_key, server_key, made_at)
select m.id, q.version, q.salt, q.iterations, q.stored_key, q.server_key, $7
  from (select distinct on (id) *
          from unnest($1::uuid[], $2::int[], $3::bytea[], $4::int[], $5::bytea[], $6::bytea[])
            as u (id, version, salt, iterations, stored_key, server_key)
         order by id, version desc) q
  join auth.mailboxes m on m.id = q.id and m.credential_version = q.version
 order by m.id
    on conflict (mailbox_id) do update
   set credential_version = excluded.credential_version, salt = excluded.salt, iterations = excluded.iterations,
       stored_key = excluded.stored_key, server_key = excluded.server_key, made_at = excluded.made_at
 where v.credential_version <= excluded.credential_version
