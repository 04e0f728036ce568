-- name: lock_mailboxes
-- Always in the order of ids, so that transactions cannot deadlock.
select id as mailbox_id, usage, quota_limit, limit_version, quota_warned_at, purged_at,
       (select coalesce(sum(f.messages), 0) from mailstore.folder f where f.mailbox_id = m.id) as messages
  from mailstore.mailbox as m
 where id = any($1::uuid[]) order by id for update

-- name: make_mailboxes
-- $1 mailbox ids; $2 names and $3 special uses of the default folders; their UIDVALIDITYs are $4 + 1, $4 + 2 ...
with new as (
    insert into mailstore.mailbox (id, next_folder_id, last_uidvalidity)
    select mailbox_id, cardinality($2::text[]) + 1, $4::bigint + cardinality($2::text[])
      from unnest($1::uuid[]) as t(mailbox_id) order by 1
    on conflict (id) do nothing returning id as mailbox_id
), s as (
    insert into mailstore.subscription (mailbox_id, name)
    select mailbox_id, name from new cross join unnest($2::text[]) as f(name) on conflict do nothing
)
insert into mailstore.folder (mailbox_id, folder_id, name, special_use, uidvalidity)
select mailbox_id, n, name, special_use, $4::bigint + n
  from new cross join unnest($2::text[], $3::text[]) with ordinality as f(name, special_use, n)

-- name: usage
-- Usage and the limit of the highest version, to answer RCPT.
select id as mailbox_id, usage, quota_limit, limit_version, quota_warned_at, purged_at is not null as purged,
       (select coalesce(sum(f.messages), 0) from mailstore.folder f where f.mailbox_id = m.id) as messages
  from mailstore.mailbox as m where id = any($1::uuid[])

-- name: add_usage
-- Adds $2 octets, which may be negative, and keeps the limit of the highest version. $5: the owner may be warned again.
update mailstore.mailbox m set usage = m.usage + t.added,
       quota_limit = case when t.limit_version > m.limit_version then t.quota_limit else m.quota_limit end,
       limit_version = greatest(m.limit_version, t.limit_version),
       quota_warned_at = case when t.rearmed then null else m.quota_warned_at end
  from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::boolean[])
       as t(mailbox_id, added, quota_limit, limit_version, rearmed)
 where m.id = t.mailbox_id

-- name: note_warning
update mailstore.mailbox set quota_warned_at = $2 where id = $1
