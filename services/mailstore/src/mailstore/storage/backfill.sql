-- name: unfilled
-- The first $1 rows that no release since 0007 has written, while their envelopes and first chunks have about $2 octets;
-- lengths are known without reading the values. The index of such rows (schema.py) has them in this order.
select r.mailbox_id, r.folder_id, r.uid, r.envelope, r.body_id
  from (select r.*, sum(weight) over (order by mailbox_id, folder_id, uid) - weight as before
          from (select r.*, m.body_id, octet_length(r.envelope) + least(m.size, 262144) as weight
                  from (select * from mailstore.rendered where message_id is null
                         order by mailbox_id, folder_id, uid limit $1) as r
                  join mailstore.message m on m.mailbox_id = r.mailbox_id and m.folder_id = r.folder_id and m.uid = r.uid) as r) as r
 where before < $2 order by r.mailbox_id, r.folder_id, r.uid

-- name: fill
-- In the order in which EXPUNGE locks the two rows. A row that was removed, or filled in, meanwhile is left out.
with t as (
    select * from unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::text[], $15::text[],
                         $16::text[], $17::text[], $18::text[])
        as t(mailbox_id, folder_id, uid, subject, from_, to_, cc, bcc, sent_at, message_id, references_, base_subject,
             derived, from_mailbox, to_mailbox, cc_mailbox, from_display, to_display)
), m as (
    update mailstore.message m set sent_at = t.sent_at
      from t where m.mailbox_id = t.mailbox_id and m.folder_id = t.folder_id and m.uid = t.uid
    returning m.mailbox_id, m.folder_id, m.uid
)
update mailstore.rendered r
   set subject = t.subject, from_ = t.from_, to_ = t.to_, cc = t.cc, bcc = t.bcc, message_id = t.message_id,
       references_ = t.references_, base_subject = t.base_subject, derived = t.derived, from_mailbox = t.from_mailbox,
       to_mailbox = t.to_mailbox, cc_mailbox = t.cc_mailbox, from_display = t.from_display, to_display = t.to_display
  from t join m on m.mailbox_id = t.mailbox_id and m.folder_id = t.folder_id and m.uid = t.uid
 where r.mailbox_id = t.mailbox_id and r.folder_id = t.folder_id and r.uid = t.uid and r.message_id is null
