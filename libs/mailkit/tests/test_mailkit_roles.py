"""A role per service: made by `migrate`, enough for the service, and nothing of the others'."""

import asyncio
import json
import subprocess
import sys

import asyncpg
import pytest

from mailkit.postgres.roles import verifier
from mailkit.testing.parent import end_with_parent

from .conftest import environment, run

OWNERS = {"auth": "auth", "mailstore": "mailstore", "queue_worker": "queue"}
SCHEMAS = {"auth": {"auth"}, "mailstore": {"mailstore", "bodies"}, "queue": {"queue", "bodies"}}
TABLES = {"auth": "mailboxes", "mailstore": "message", "queue": "recipient", "bodies": "body"}


MADE = """
do $$ begin
    if not exists (select from pg_roles where rolname = 'postrider_scoped') then create role postrider_scoped nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$
"""


@pytest.fixture
def keeper(postgres):
    """A database whose owner may make roles and is no superuser, as operators hand it out."""
    dsn = postgres.create()
    name = dsn.partition("?")[0].rpartition("/")[2]
    postgres.execute("create role keeper login createrole")
    postgres.execute(MADE)  # by whichever database of the server was first; its administrator lets the others have it
    postgres.execute("grant postrider_scoped to keeper with admin option")
    postgres.execute(f'alter database "{name}" owner to keeper')
    yield dsn.replace("postgres@", "keeper@")
    postgres.drop(dsn)
    postgres.execute("revoke postrider_scoped from keeper cascade")
    for role in ("auth", "mailstore", "queue"):
        postgres.execute(f"drop role if exists postrider_{role}")
    postgres.execute("drop role keeper")


@pytest.fixture
def passwords(tmp_path):
    for role in SCHEMAS:
        (tmp_path / role).write_text(f"geheim-{role}\n")
    return tmp_path


async def migrate(dsn, passwords):
    for done in await asyncio.gather(
        *(run(package, "migrate", database_url=dsn, database_roles=str(passwords)) for package in OWNERS)
    ):
        assert done[0] == 0, done[1]
        assert "geheim" not in done[1]


async def allowed(dsn, role, statement):
    connection = await asyncpg.connect(dsn.replace("keeper@", f"postrider_{role}@"))
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    finally:
        await connection.close()
    return True


async def test_a_role_reaches_its_own_schemas_and_no_others(keeper, passwords):
    await migrate(keeper, passwords)
    for role, own in SCHEMAS.items():
        for schema, table in TABLES.items():
            mine = schema in own
            assert await allowed(keeper, role, f"select * from {schema}.{table}") == mine, (role, schema)
            assert await allowed(keeper, role, f"delete from {schema}.{table}") == mine
            assert await allowed(keeper, role, f"select * from {schema}.schema_min_code") == mine
            for ddl in (
                f"update {schema}.schema_min_code set min_code = 0",
                f"update {schema}.schema_version set version_num = ''",
                f"create table {schema}.x (n int)",
                f"drop table {schema}.{table}",
                f"truncate {schema}.{table}",
            ):
                assert not await allowed(keeper, role, ddl), (role, ddl)
        assert not await allowed(keeper, role, "create schema x")
        assert not await allowed(keeper, role, "create role x")


async def test_every_service_lives_with_its_role_alone(keeper, passwords):
    await migrate(keeper, passwords)
    for package, role in OWNERS.items():
        dsn = keeper.replace("keeper@", f"postrider_{role}@")
        assert await run(package, "wait-schema", database_url=dsn) == (0, "")
        process = subprocess.Popen(
            [sys.executable, "-m", package],
            env=environment(database_url=dsn, http_port="0"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent(),
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                event = json.loads(line)
                assert event.get("level") in ("info", None), event
                if event["event"] == "ready":
                    break
        finally:
            process.terminate()
            assert await asyncio.to_thread(process.wait, 20) == 0
            process.stderr.close()
    connection = await asyncpg.connect(keeper)
    made = await connection.fetchval("select count(*) from pg_class where relname ~ '^submission_[0-9]{8}$'")
    assert made == 7, "queue-worker makes its partitions with no right to make tables"
    await connection.close()


async def test_the_next_migration_changes_the_password(keeper, passwords, postgres):
    await migrate(keeper, passwords)
    root = await asyncpg.connect(keeper.replace("keeper@", "postgres@"))
    first = await root.fetchval("select rolpassword from pg_authid where rolname = 'postrider_auth'")
    (passwords / "auth").write_text("another")
    assert (await run("auth", "migrate", database_url=keeper, database_roles=str(passwords)))[0] == 0
    second = await root.fetchval("select rolpassword from pg_authid where rolname = 'postrider_auth'")
    assert first != second and second.startswith("SCRAM-SHA-256$4096:")
    await root.close()


async def test_what_is_sent_instead_of_the_password_is_what_postgres_makes_of_it(postgres):
    import base64

    with postgres.database() as dsn:
        root = await asyncpg.connect(dsn)
        await root.execute("set password_encryption = 'scram-sha-256'")
        await root.execute("create role sample login password 'p\u00e4ss \u2168 w:rd'")
        stored = await root.fetchval("select rolpassword from pg_authid where rolname = 'sample'")
        await root.execute("drop role sample")
        await root.close()
    salt = base64.b64decode(stored.split(":")[1].split("$")[0])
    assert verifier("p\u00e4ss \u2168 w:rd", salt) == stored


async def test_an_owner_who_may_not_make_roles_hears_so(keeper, passwords, postgres):
    postgres.execute("alter role keeper nocreaterole")
    status, said = await run("auth", "migrate", database_url=keeper, database_roles=str(passwords))
    assert status == 78
    assert "auth: role postrider_auth could not be made or changed (permission denied to create role)" in said
    assert "geheim" not in said


async def test_a_missing_password_file_is_one_sentence(keeper, passwords):
    (passwords / "auth").unlink()
    status, said = await run("auth", "migrate", database_url=keeper, database_roles=str(passwords))
    assert status == 78 and f"{passwords}/auth cannot be read (FileNotFoundError)" in said
