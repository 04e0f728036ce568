-- name: note_operation
-- What an operator did, in the transaction that does it. $9: recipients that it changed.
insert into queue.operation (id, at, action, actor, reason, filter, kind, value, recipients) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
