"""Tokens with roles, and the database role of callers that are confined to a customer or a domain (docs/decisions/0117, 0118)."""

from alembic import op

revision = "0015"
down_revision = "0014"
#: Code 0014 knows no tokens but those of its settings, and acts as a role that no policy confines.
min_code = 2

#: The role is the server's: another database may have made it. The user of the migrations has to be able to become it.
ROLE = """
do $$
begin
    begin
        if not exists (select from pg_roles where rolname = 'postrider_scoped') then
            create role postrider_scoped nologin;
        end if;
    exception when duplicate_object or unique_violation then null;
    end;
    begin
        set local role postrider_scoped;
        set local role none;
    exception when insufficient_privilege then
        execute format('grant postrider_scoped to %I', current_user);
    end;
exception when insufficient_privilege then
    raise insufficient_privilege using message = format(
        'the database role postrider_scoped is missing, and %1$I may not make or take it; let an administrator run: '
        'create role postrider_scoped nologin; grant postrider_scoped to %1$I with admin option', current_user);
end $$
"""
TABLES = (
    """
    create table auth.tokens (
        id uuid primary key,
        name text not null,
        role text not null,
        customer_id uuid references auth.customers (id) on delete cascade,
        domain text references auth.domains (name) on update cascade on delete cascade,
        made_by text not null,
        created_at timestamptz not null,
        expires_at timestamptz,
        constraint tokens_role check (role in ('operator', 'customer', 'domain', 'read-only')),
        constraint tokens_operator check (role <> 'operator' or (customer_id is null and domain is null)),
        constraint tokens_customer_role check (role <> 'customer' or (customer_id is not null and domain is null)),
        constraint tokens_domain_role check (role <> 'domain' or domain is not null)
    )
    """,
    "create index tokens_customer on auth.tokens (customer_id, id)",
    "create index tokens_domain on auth.tokens (domain, id)",
    """
    create table auth.token_secrets (
        hash bytea primary key,
        token_id uuid not null references auth.tokens (id) on delete cascade,
        until timestamptz
    )
    """,
    "create index token_secrets_token on auth.token_secrets (token_id)",
    "grant usage on schema auth to postrider_scoped",
    """
    create function auth.scope_domain() returns text language sql stable as
        $$ select nullif(current_setting('postrider.domain', true), '') $$
    """,
    """
    create function auth.scope_customer() returns uuid language sql stable as
        $$ select nullif(current_setting('postrider.customer', true), '')::uuid $$
    """,
    # Lets confined callers do `rights` with the rows of a table for which `visible` holds, and all others what they could before.
    """
    create function auth.confine(name regclass, rights text, visible text, written text default null) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        if exists (select from pg_policy where polrelid = name and polname = 'scoped') then
            return;
        end if;
        execute format('alter table %s enable row level security', name);
        execute format('create policy service on %s using (true) with check (true)', name);
        execute format('create policy scoped on %s as restrictive to postrider_scoped using (%s) with check (%s)',
                       name, visible, coalesce(written, visible));
        execute format('grant %s on %s to postrider_scoped', rights, name);
    end $$
    """,
)


def upgrade() -> None:
    op.execute(ROLE)
    for statement in TABLES:
        op.execute(statement)
