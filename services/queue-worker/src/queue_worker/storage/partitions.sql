-- name: partitions
-- The partitions of a table, for maintenance.
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::text::regclass

-- name: exists
-- Whether there is a table of this name.
select to_regclass($1) is not null

-- name: make
-- The partition of table $1 for day $2: the ids from $3 up to $4.
select queue.make_partition($1, $2, $3, $4)

-- name: drop
select queue.drop_partition($1, $2)
