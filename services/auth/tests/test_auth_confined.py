"""Decision 118: which tables confined callers reach, and that the mail flow's statements are what they were."""

import os
import re

import asyncpg
import pytest

from auth.storage.callers import Acting, CallerPool, act
from mailkit.errors import Forbidden
from mailkit.postgres.pool import PLANNER, Queries
from mailkit.rpc.caller import Caller

#: Tables of which confined callers have no row, and why.
OUT_OF_REACH = {
    "answers": "logins under way",
    "badmailfrom": "concerns everybody",
    "login_failures": "concerns everybody",
    "login_networks": "of logins alone",
    "moves": "are begun and ended by operators",
    "moving_mailboxes": "of logins alone",
    "operations": "logins under way",
    "relay_use": "counters of the mail flow",
    "relay_rates": "counters of the mail flow",
    "remembered_passwords": "of logins alone",
    "schema_min_code": "of migrations",
    "schema_version": "of migrations",
    "secrets": "of all replicas",
    "singleton": "of all replicas",
    "srs_keys": "of all replicas",
}


async def test_every_table_is_confined_or_out_of_reach(auth):
    """A new table fails here until its migration calls auth.confine, or a line above says why it need not."""
    rows = await auth.pool.fetch(
        "select c.relname as name, c.relrowsecurity as secured, "
        "exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'scoped' and not p.polpermissive) as confined, "
        "has_table_privilege('postrider_scoped', c.oid, 'select, insert, update, delete, truncate, references, trigger') "
        "or has_any_column_privilege('postrider_scoped', c.oid, 'select, insert, update') as reached "
        "from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
    )
    assert {row["name"] for row in rows if not row["confined"]} == set(OUT_OF_REACH)
    for row in rows:
        assert row["reached"] == row["confined"] == row["secured"], row["name"]


#: Tables whose changes are not in the audit: they follow those of others, or are the mail flow's.
NOT_AUDITED = {"event": "is the trace itself", "scram_verifiers": "follow the password", "audit": "is the audit"}


async def test_every_table_that_callers_change_is_audited(auth):
    """A new table fails here until its migration calls auth.audited."""
    rows = await auth.pool.fetch(
        "select c.relname from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p') "
        "and not c.relispartition and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'audited')"
    )
    assert {row[0] for row in rows} == (set(OUT_OF_REACH) - {"badmailfrom", "moves"}) | set(NOT_AUDITED)


async def test_without_a_caller_there_is_no_connection_and_without_a_setting_no_row(auth):
    await auth.make("a@site.com")
    with pytest.raises(LookupError):
        await CallerPool(auth.pool).fetch("select 1")
    async with auth.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local role postrider_scoped")
        for table in ("domains", "mailboxes", "forwards", "tokens", "event", "customers", "plans"):
            assert await connection.fetchval(f"select count(*) from auth.{table}") == 0, table


async def test_private_keys_and_what_is_read_only_are_held_by_the_database(auth):
    await auth.make("a@site.com")
    await auth.admin.make_dkim_keys("site.com")
    pool = CallerPool(auth.pool)
    act(Acting(Caller("domain", "d", domain="site.com")))
    assert len(await pool.fetch("select id, record from auth.dkim_keys")) == 2
    for refused in (
        "select private_key from auth.dkim_keys",
        "select value from auth.secrets",
        "insert into auth.domains (id, name, created_at) values (gen_random_uuid(), 'x.test', now())",
        "insert into auth.tokens (id, name, role, made_by, created_at) values (gen_random_uuid(), 'x', 'operator', 'x', now())",
        "truncate auth.mailboxes",
    ):
        with pytest.raises(Forbidden):
            await pool.execute(refused)
    act(Acting(Caller("read-only", "r")))
    with pytest.raises(Forbidden, match="only reads"):
        await pool.execute("delete from auth.mailboxes")


#: The mail flow's statements and the service's own work.
FLOW = (
    "directory.sql",
    "logins.sql",
    "dkim.sql",
    "srs.sql",
    "verifiers.sql",
    "events.sql",
    "maintenance.sql",
    "tokens.sql",
)


async def test_the_plans_of_the_mail_flow_are_those_without_policies(auth, database):
    """The owner is held by no policy; the service's own role by one that lets all rows through.

    Under any policy an expression that is not leakproof (coalesce) is no index condition any more: this compares every plan.
    """
    role = f"flow_{os.getpid()}"
    connection = await asyncpg.connect(database, statement_cache_size=0)
    try:
        for name, value in PLANNER.items():
            await connection.execute(f"set {name} = {value}")
        await connection.execute(f"create role {role}; grant usage on schema auth to {role}")
        await connection.execute(f"grant select, insert, update, delete on all tables in schema auth to {role}")
        for name, statement in Queries("auth.storage", *FLOW).items():
            most = max((int(n) for n in re.findall(r"\$(\d+)", statement)), default=0)
            given = f"({', '.join(['null'] * most)})" if most else ""
            plans = []
            for each in ("none", role):
                await connection.execute(f"set role {each}; prepare it as {statement}")
                plans.append([row[0] for row in await connection.fetch(f"explain execute it {given}")])
                await connection.execute("deallocate it")
            assert plans[0] == plans[1], name
        await connection.execute(f"reset role; drop owned by {role}; drop role {role}")
    finally:
        await connection.close()
