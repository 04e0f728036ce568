"""What holds for every named statement: it names the mailbox (decision 14), time is an argument (11); the schema is what
the migrations lead to."""

import asyncio
import re
from importlib import resources

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from mailkit.postgres.pool import Queries
from mailstore.storage.schema import metadata
from mailstore.storage.search import SIGNATURE
from mailstore.storage.sort import RENDERED

STORAGE = resources.files("mailstore.storage")
FILES = sorted(each.name for each in STORAGE.iterdir() if each.name.endswith(".sql"))
#: Statements of maintenance, the only ones that read all mailboxes.
UPKEEP = {"backfill.sql", "retention.sql"}
STATEMENTS = [(file, *named) for file in FILES for named in Queries("mailstore.storage", file).items()]
#: What the modules insert, as an example.
INSERTED = {"$columns": "m.uid", "$values": "", "$condition": "r.subject <> ''", "$after": "$3", "$limit": "200"}
INSERTED |= {"$unsigned": "s.uid is null", "$signature": SIGNATURE}
INSERTED |= {"$joined": RENDERED, "$order": "", "$sent": "", "$direction": "", "$column": "uid"}
TABLE = re.compile(r"\bmailstore\.(\w+)")
PARTITION = re.compile("(filed|fetched|event)_")
#: Partitioned by the time in an id, not kept with the mailbox (decisions 3 and 81).
BY_TIME = {"filed", "fetched", "event"}
#: Asked about bodies of any mailbox, by the collector alone (decision 4).
ACROSS = {"references"}
#: Compares rows that it has read, with limits, with each other (decision 81).
OF_THE_TRACE = {"of_messages"}


def test_every_statement_names_the_mailbox():
    for file, name, statement in STATEMENTS:
        tables = set(TABLE.findall(statement))
        if not tables or file in UPKEEP or name in ACROSS:
            continue
        assert "mailbox_id" in statement or tables == {"mailbox"}, name
        for table in tables - {"mailbox"}:
            # joined or compared by the mailbox, not only selected
            assert re.search(r"mailbox_id\b", statement.split(f"mailstore.{table}", 1)[1]), (name, table)


def test_time_is_an_argument():
    for _, name, statement in STATEMENTS:
        code = re.sub(r"--.*", "", statement)
        assert not re.search(r"\bnow\(|current_timestamp|clock_timestamp|localtime", code, re.I), name


def test_every_statement_is_run_by_the_module_beside_its_file():
    for file, name, _ in STATEMENTS:
        module = STORAGE.joinpath(file.replace(".sql", ".py")).read_text()
        assert re.search(rf"\bqueries\.{name}\b", module), (file, name)


def test_the_migrations_lead_to_the_schema(database):
    def differences(connection: Connection) -> list[object]:
        options = {
            "include_schemas": True,
            "version_table_schema": "mailstore",
            "version_table": "schema_version",
            "include_name": lambda name, kind, parents: kind != "schema" or name == "mailstore",
            "include_object": lambda item, name, kind, reflected, other: (
                not (reflected and PARTITION.match(item.name if kind == "table" else item.table.name))
            ),
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async def compare() -> list[object]:
        engine = create_async_engine(database.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.connect() as connection:
            found = await connection.run_sync(differences)
        await engine.dispose()
        return found

    assert asyncio.run(compare()) == []


def test_every_key_begins_with_the_mailbox():
    for table in metadata.tables.values():
        columns = [column.name for column in table.primary_key.columns]
        if table.name in BY_TIME | {"singleton", "schema_min_code", "backfill"}:
            continue
        assert columns[0] in ("mailbox_id", "id") and (columns[0] == "mailbox_id" or table.name == "mailbox")


async def test_plans_made_while_the_tables_are_empty_are_good_when_they_are_full(store):
    """Sessions keep plans: every table is reached by a whole key or one ordered range of it, whatever the sizes."""
    async with store.pool.acquire() as connection:
        await connection.execute("set plan_cache_mode = force_generic_plan")
        for file, name, query in STATEMENTS:
            if file in UPKEEP or name in OF_THE_TRACE:
                continue
            if name == "matching_in_message":
                query = query.replace("$condition", "m.size > 0")
            for placeholder, text in INSERTED.items():
                query = query.replace(placeholder, text)
            count = max(map(int, re.findall(r"\$(\d+)", query)), default=0)
            await connection.execute(f"prepare p_{name} as {query}")
            given = f"({', '.join(['null'] * count)})" if count else ""
            plan = "\n".join(row[0] for row in await connection.fetch(f"explain (costs off) execute p_{name}{given}"))
            assert not re.search(r"Join Filter|Seq Scan|Filter:.*\buid\b", plan), f"{name}\n{plan}"
        await connection.execute("deallocate all")
        await connection.execute("reset plan_cache_mode")
