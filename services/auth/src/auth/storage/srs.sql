-- name: keys
select value from auth.srs_keys order by made_at > $1, made_at desc

-- name: make
-- A key, unless one was made after $2.
insert into auth.srs_keys (made_at, value)
select $1, $3 where not exists (select from auth.srs_keys where made_at > $2)
    on conflict do nothing

-- name: remove
-- Keys from before $1, but the latest.
delete from auth.srs_keys where made_at < $1 and made_at < (select max(made_at) from auth.srs_keys)
