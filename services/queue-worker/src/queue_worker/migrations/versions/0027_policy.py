"""The TLS policy of a host has a column of its own in the history; `queue.tls` has versions and ciphers only (docs/decisions/0080)."""

from alembic import op

revision = "0027"
down_revision = "0026"
#: Code 0026 goes on to write the policy into queue.tls, whose number of rows is bounded now.
min_code = 2

STATEMENTS = (
    "alter table queue.ended add column policy text not null default ''",
    "comment on column queue.ended.policy is 'The TLS policy of the host and the record that asks for it, in parentheses; empty: none'",
    """
    create or replace function queue.tls_number(said text) returns smallint
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    declare number smallint;
    begin
        if said = '' then return 0; end if;
        select id into number from queue.tls where facts = said;
        if number is null and (select count(*) from queue.tls) < 1000 then
            insert into queue.tls (facts) values (said) on conflict (facts) do nothing returning id into number;
            if number is null then
                select id into number from queue.tls where facts = said;
            end if;
        end if;
        return coalesce(number, 0);
    end $$
    """,
    """
    create or replace view queue.history as
    select message_id, n, mail_from, address, original, mailbox_id is not null as local, state, status, reply, remote_host, tries,
           in_doubt, first_seen, finished_at, connection, acted, via, sender
      from queue.finished
    union all
    select message_id, n, null, address, case original when '' then address else original end, local,
           case state when 'd' then 'delivered' when 'f' then 'failed' when 'e' then 'expired' else 'removed' end,
           case when status = '' and state = 'd' then '2.0.0' else status end,
           case when reply = '' and state = 'd' and local then 'filed' else reply end, nullif(remote_host, ''), tries, in_doubt,
           null, finished_at,
           nullif(concat_ws(' ', nullif(remote_address, ''), (select facts from queue.tls t where t.id = e.tls), nullif(policy, '')), ''),
           nullif(acted, '')::uuid[], nullif(via, ''), nullif(sender, '')
      from queue.ended e
    """,
)


def upgrade() -> None:
    """Add the column, with a constant default; the function and the view know it."""
    for statement in STATEMENTS:
        op.execute(statement)
