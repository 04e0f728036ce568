-- name: insert_event
insert into mailstore.event (id, mailbox_id, at, kind, folder, protocol, messages, bodies) values ($1, $2, $3, $4, $5, $6, $7, $8)
