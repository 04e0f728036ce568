-- name: known_operation
select answer from mailstore.operation where mailbox_id = $1 and id = $2

-- name: remember_operation
insert into mailstore.operation (mailbox_id, id, answer, made_at) values ($1, $2, $3, $4)
