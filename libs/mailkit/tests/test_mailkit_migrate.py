"""Old code on newer schemas and new code on older ones (docs/decisions/0021): which start, which wait, which refuse."""

import asyncio
import subprocess
import sys
from textwrap import dedent

import asyncpg
import pytest

from mailkit.errors import ConfigError
from mailkit.postgres import migrate, revisions
from mailkit.postgres.command import Owned, schema_verbs
from mailkit.postgres.dsn import DatabaseSettings
from mailkit.testing.speed import patient

FIRST = """
    create table shop.item (id int primary key, name text)
    create table shop.schema_min_code (only_row boolean primary key default true, version int not null, min_code int not null)
    insert into shop.schema_min_code (version, min_code) values (1, 1)
"""
ENV = "from alembic import context\nwith context.begin_transaction():\n    context.run_migrations()\n"

#: (statements, min_code, needed) of each revision of the made-up schema: a column comes, is used, and its ancestor goes.
REVISIONS = [
    (FIRST, 1, True),
    ("alter table shop.item add column title text", 1, True),  # expand: code 1 knows nothing of it and goes on
    ("alter table shop.item drop column name", 2, False),  # contract: nobody from code 2 on reads it
]


@pytest.fixture
def release(tmp_path, monkeypatch):
    """`release(2)` is the package whose code is number 2; each is a package of its own."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(number, revisions=REVISIONS):
        name = f"shop_{tmp_path.name}_{number}".replace("-", "_")
        folder = tmp_path / name / "migrations" / "versions"
        if folder.exists():
            return name
        folder.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        (folder.parent / "env.py").write_text(ENV)
        for n, (statements, min_code, needed) in enumerate(revisions[:number], 1):
            lines = [line.strip() for line in statements.strip().splitlines()]
            before = f"{n - 1:04}" if n > 1 else None
            text = f'''
                """Step {n}."""
                from alembic import op
                revision, down_revision = "{n:04}", {before!r}
                min_code, needed = {min_code}, {needed}
                def upgrade():
                    for statement in {lines!r}:
                        op.execute(statement)
                '''
            (folder / f"{n:04}_step.py").write_text(dedent(text))
        sys.path_importer_cache.clear()
        return name

    return make


@pytest.fixture
def dsn(postgres):
    with postgres.database() as dsn:
        yield dsn


async def verdict(dsn, package):
    """None when the code starts; else its sentence."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1)
    try:
        await revisions.require_current(pool, package, "shop", "shop")
    except ConfigError as error:
        return str(error)
    finally:
        await pool.close()
    return None


@pytest.mark.parametrize("package", ["auth", "queue_worker", "mailstore", "bodystore"])
def test_the_numbers_are_those_that_alembic_finds(package):
    scripts = list(migrate._scripts(package).walk_revisions())
    needed = [int(script.revision) for script in scripts if getattr(script.module, "needed", True)]
    assert revisions.code_of(package) == revisions.Code(max(int(script.revision) for script in scripts), max(needed))


@pytest.mark.parametrize("package", ["auth", "queue_worker", "mailstore"])
def test_a_service_that_serves_does_not_load_what_migrates(package):
    look = f"import sys, {package}.__main__; print(*{{'alembic', 'sqlalchemy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=patient(30), check=True)
    assert done.stdout.split() == []


def test_the_number_and_the_need_are_read_from_the_scripts(release):
    assert revisions.code_of(release(1)) == revisions.Code(1, 1)
    assert revisions.code_of(release(2)) == revisions.Code(2, 2)
    assert revisions.code_of(release(3)) == revisions.Code(3, 2)
    for package in ("auth", "mailstore", "queue_worker", "bodystore"):
        assert revisions.code_of(package).number >= 2


async def test_who_may_run_on_which_schema(dsn, release):
    one, two, three = release(1), release(2), release(3)
    assert "schema shop is at revision none, this code needs 0001; run `python -m shop migrate`" in str(
        await verdict(dsn, one)
    )
    assert await migrate.upgrade(dsn, one, "shop") == ["Step 1."]
    assert await verdict(dsn, one) is None
    assert "is at revision 0001, this code needs 0002" in str(await verdict(dsn, two))  # new code, old schema
    assert "is at revision 0001, this code needs 0002" in str(await verdict(dsn, three))

    assert await migrate.upgrade(dsn, two, "shop") == ["Step 2."]
    assert [await verdict(dsn, code) for code in (one, two, three)] == [None, None, None]  # all serve side by side

    assert await migrate.upgrade(dsn, three, "shop") == ["Step 3."]
    assert [await verdict(dsn, code) for code in (two, three)] == [None, None]
    sentence = "schema shop is at revision 0003 and takes code 0002 or newer, this code is 0001; start a newer release"
    assert await verdict(dsn, one) == sentence


async def test_a_job_of_the_previous_release_changes_nothing_where_it_may_run(dsn, release):
    await migrate.upgrade(dsn, release(3), "shop")
    assert await migrate.upgrade(dsn, release(2), "shop") == []
    with pytest.raises(revisions.CodeTooOld, match="takes code 0002 or newer, this code is 0001"):
        await migrate.upgrade(dsn, release(1), "shop")
    connection = await asyncpg.connect(dsn)
    assert tuple(await connection.fetchrow("select version, min_code from shop.schema_min_code")) == (3, 2)
    assert await connection.fetchval("select version_num from shop.schema_version") == "0003"
    await connection.close()


async def test_what_is_allowed_never_goes_back(dsn, release):
    steps = [*REVISIONS, ("select 1", 1, True)]
    await migrate.upgrade(dsn, release(4, steps), "shop")
    connection = await asyncpg.connect(dsn)
    assert tuple(await connection.fetchrow("select version, min_code from shop.schema_min_code")) == (4, 2)
    await connection.close()


async def test_several_at_once_take_turns(dsn, release):
    done = await asyncio.gather(*(migrate.upgrade(dsn, release(3), "shop") for _ in range(3)))
    assert sorted(map(len, done)) == [0, 0, 3]


async def test_a_lock_is_not_waited_for_long_and_the_step_leaves_nothing(dsn, release, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "200ms")
    await migrate.upgrade(dsn, release(1), "shop")
    busy = await asyncpg.connect(dsn)
    async with busy.transaction():
        await busy.fetch("select * from shop.item")
        with pytest.raises(ConfigError, match=r"lock timeout.*\(55P03\); nothing of this step was changed, run it"):
            await migrate.upgrade(dsn, release(2), "shop")
    assert await migrate.upgrade(dsn, release(2), "shop") == ["Step 2."]
    await busy.close()


async def test_a_statement_that_takes_too_long_is_ended(dsn, release, monkeypatch):
    monkeypatch.setattr(migrate, "STATEMENT_TIMEOUT", "200ms")
    with pytest.raises(ConfigError, match=r"statement timeout.*\(57014\)"):
        await migrate.upgrade(dsn, release(2, [REVISIONS[0], ("select pg_sleep(30)", 1, True)]), "shop")
    assert "at revision 0001" in str(await verdict(dsn, release(3)))


async def test_a_users_schema_is_not_made_by_somebody_who_may_not(dsn, release, postgres):
    postgres.execute("drop role if exists clerk")
    postgres.execute("create role clerk login")
    try:
        with pytest.raises(ConfigError, match=r"could not be brought up to date: permission denied.*\(42501\)"):
            await migrate.upgrade(dsn.replace("postgres@", "clerk@"), release(1), "shop")
    finally:
        postgres.execute("drop role clerk")


async def run(verb, package, settings):
    await schema_verbs("shop", lambda settings: [Owned(settings.dsn, package, "shop")], "shop")[verb]("shop", settings)


def told(dsn, seconds):
    return DatabaseSettings.load({"POSTRIDER_DATABASE_URL": dsn, "POSTRIDER_SCHEMA_WAIT_SECONDS": str(seconds)})


async def test_waiting_ends_when_the_schema_is_there(dsn, release, capsys):
    wait = asyncio.create_task(run("wait-schema", release(2), told(dsn, 60)))
    while "at revision none" not in (said := capsys.readouterr().err):
        await asyncio.sleep(0.01)
    assert said.count("\n") == 1
    await migrate.upgrade(dsn, release(1), "shop")
    while "at revision 0001" not in capsys.readouterr().err:
        await asyncio.sleep(0.01)
    await run("migrate", release(3), told(dsn, 60))
    assert capsys.readouterr().out == "shop: shop: Step 2.\nshop: shop: Step 3.\n"
    await asyncio.wait_for(wait, patient(10))


async def test_waiting_has_an_end_and_code_that_is_too_old_does_not_wait(dsn, release):
    with pytest.raises(ConfigError, match=r"at revision none, this code needs 0001.*\(waited 1.5 s\)"):
        await run("wait-schema", release(1), told(dsn, 1.5))
    await migrate.upgrade(dsn, release(3), "shop")
    with pytest.raises(revisions.CodeTooOld):
        await asyncio.wait_for(run("wait-schema", release(1), told(dsn, 600)), patient(10))
