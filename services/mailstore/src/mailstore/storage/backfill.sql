-- name: backfill_place
insert into mailstore.backfill (name) values ($1)
on conflict (name) do update set name = excluded.name returning mailbox_id, folder_id, uid, done

-- name: move_backfill
update mailstore.backfill set mailbox_id = $2, folder_id = $3, uid = $4, done = $5 where name = $1

-- name: envelopes_after
-- At most $4 rows of about $5 octets; lengths are known without reading the values.
select mailbox_id, folder_id, uid, envelope, from_, to_, cc, bcc
  from (select *, sum(octet_length(envelope)) over (order by mailbox_id, folder_id, uid) - octet_length(envelope) as before
          from (select * from mailstore.rendered where (mailbox_id, folder_id, uid) > ($1::uuid, $2::int, $3::bigint)
                 order by mailbox_id, folder_id, uid limit $4) as r) as r
 where before < $5 order by mailbox_id, folder_id, uid

-- name: fill_addresses
update mailstore.rendered r set from_ = t.from_, to_ = t.to_, cc = t.cc, bcc = t.bcc
  from unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
       as t(mailbox_id, folder_id, uid, from_, to_, cc, bcc)
 where r.mailbox_id = t.mailbox_id and r.folder_id = t.folder_id and r.uid = t.uid
