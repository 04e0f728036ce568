"""The audit of what callers of the operators' API change (docs/decisions/0119)."""

from alembic import op

revision = "0020"
down_revision = "0019"
#: Code 0019 says who acts, and so its changes are noted too; earlier code's are not.
min_code = 2

STATEMENTS = (
    """
    create table auth.audit (
        number bigint generated always as identity primary key,
        at timestamptz not null,
        actor text not null,
        role text not null,
        token_id uuid,
        source text not null,
        action text not null,
        change text not null,
        kind text not null,
        object text not null,
        customer_id uuid,
        domain text,
        before jsonb,
        after jsonb
    )
    """,
    "create index audit_at on auth.audit (at)",
    "create index audit_actor on auth.audit (actor, number)",
    "create index audit_object on auth.audit (object, number)",
    "create index audit_customer on auth.audit (customer_id, number) where customer_id is not null",
    "create index audit_domain on auth.audit (domain, number) where domain is not null",
    # Nobody changes a row, not the owner either, nor removes one of the last 90 days.
    """
    create function auth.keep_audit() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        if tg_op = 'DELETE' then
            if old.at < now() - interval '90 days' then
                return old;
            end if;
        end if;
        raise insufficient_privilege using message = 'the audit is only added to';
    end $$
    """,
    "create trigger keep before update or delete on auth.audit for each row execute function auth.keep_audit()",
    "create trigger keep_all before truncate on auth.audit for each statement execute function auth.keep_audit()",
    """
    create function auth.remove_audit(earlier timestamptz, most integer) returns bigint
    language sql security definer set search_path = pg_catalog, pg_temp as $$
        with gone as (delete from auth.audit where number in (
            select number from auth.audit where at < least(earlier, now() - interval '90 days') order by at limit most)
            returning 1)
        select count(*) from gone
    $$
    """,
    # What is shown of a row: of secrets only whether there is one.
    """
    create function auth.audited_row(found jsonb, other jsonb) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $$
        select jsonb_object_agg(key, case
                   when key !~ '(hash|digest|secret|selector|private_key|salt|stored_key|server_key)' then value
                   when value = 'null' then value else '"(not shown)"' end)
          from jsonb_each(found) where other is null or value is distinct from other -> key
    $$
    """,
    """
    create function auth.note_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
        earlier jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
        later jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
        found jsonb := coalesce(later, earlier);
        named text;
        of_domain text;
        of_customer uuid;
    begin
        if tg_op = 'UPDATE' and earlier = later then
            return null;
        end if;
        if found ? 'mailbox_id' then
            select address, domain into named, of_domain from auth.mailboxes where id = (found ->> 'mailbox_id')::uuid;
        elsif found ? 'token_id' then
            select name, domain, customer_id into named, of_domain, of_customer from auth.tokens where id = (found ->> 'token_id')::uuid;
        else
            of_domain := case tg_table_name when 'domains' then found ->> 'name' else found ->> 'domain' end;
        end if;
        of_customer := coalesce(of_customer, (case tg_table_name when 'customers' then found ->> 'id' else found ->> 'customer_id' end)::uuid,
                                (select d.customer_id from auth.domains d where d.name = of_domain));
        insert into auth.audit (at, actor, role, token_id, source, action, change, kind, object, customer_id, domain, before, after)
        values (clock_timestamp(), current_setting('postrider.actor'), current_setting('postrider.actor_role'),
                nullif(current_setting('postrider.token'), '')::uuid, current_setting('postrider.source'),
                current_setting('postrider.action'), lower(tg_op), tg_table_name,
                coalesce(named, found ->> 'address', found ->> 'name', found ->> 'entry', found ->> 'domain', found ->> 'id', ''),
                of_customer, of_domain, auth.audited_row(earlier, later), auth.audited_row(later, earlier));
        return null;
    end $$
    """,
    """
    create function auth.audited(name regclass) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        if not exists (select from pg_trigger where tgrelid = name and tgname = 'audited') then
            execute format('create trigger audited after insert or update or delete on %s for each row '
                           'when (current_setting(''postrider.actor'', true) <> '''') execute function auth.note_change()', name);
        end if;
    end $$
    """,
    "revoke all on function auth.note_change() from public",
    """
    select auth.confine('auth.audit', 'select', 'customer_id = auth.scope_customer() or exists (select from auth.domains d '
                        'where d.name = auth.scope_domain() and d.name = audit.domain and audit.at >= d.created_at)')
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
