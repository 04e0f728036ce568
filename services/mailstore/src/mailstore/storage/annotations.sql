-- name: named_folder
select folder_id from mailstore.folder where mailbox_id = $1 and name = $2

-- name: annotations_in
select entry, value from mailstore.annotation where mailbox_id = $1 and folder_id = $2 order by entry

-- name: annotation_sizes
select folder_id, entry, version, octet_length(value) as octets from mailstore.annotation where mailbox_id = $1

-- name: metadata_version
select metadata_version from mailstore.mailbox where id = $1

-- name: new_metadata_version
update mailstore.mailbox set metadata_version = metadata_version + 1 where id = $1 returning metadata_version as version

-- name: put_annotations
insert into mailstore.annotation (mailbox_id, folder_id, entry, value, version)
select $1, $2, t.entry, t.value, $5 from unnest($3::text[], $4::bytea[]) as t(entry, value)
on conflict (mailbox_id, folder_id, entry) do update set value = excluded.value, version = excluded.version

-- name: remove_annotations
delete from mailstore.annotation where mailbox_id = $1 and folder_id = $2 and entry = any($3::text[])

-- name: drop_annotations
delete from mailstore.annotation where mailbox_id = $1 and folder_id = $2

-- name: copy_annotations
insert into mailstore.annotation (mailbox_id, folder_id, entry, value, version)
select mailbox_id, $3, entry, value, $4 from mailstore.annotation where mailbox_id = $1 and folder_id = $2
