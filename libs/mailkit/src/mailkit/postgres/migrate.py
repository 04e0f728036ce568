"""Schema migrations: alembic scripts inside a service's package, run under an advisory lock (docs/decisions/0021).

A package that owns a schema contains `migrations/versions/NNNN_what.py`, numbered without gaps, and its metadata. The number
of the newest script is the revision of the code. Each script defines:

    min_code = 3     # the oldest code that may run on the schema after it
    needed = False   # this code also runs on the schema before it; default True

`upgrade` records the highest `min_code` in the schema's one-row table `schema_min_code`, with the schema's revision.
"""

import zlib
from importlib import resources
from typing import Any

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from mailkit.errors import ConfigError
from mailkit.postgres.revisions import State, code_of, refuse_newer

#: Longest wait for a lock that a running service holds on a table: later statements of services wait behind this one.
LOCK_TIMEOUT = "10s"
#: Limit of a statement: a longer one would stop the mail and has to be written in slices (docs/decisions/0021).
STATEMENT_TIMEOUT = "10min"
#: Longest wait for another `migrate` of the same schema.
TURN_TIMEOUT = "15min"


def _scripts(package: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(resources.files(package).joinpath("migrations")).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


async def upgrade(dsn: str, package: str, schema: str) -> list[str]:
    """Upgrade `schema` to the newest revision and return the descriptions of the steps that were run.

    A newer schema is left unchanged. Concurrent upgrades wait for each other (advisory lock). Each step is a transaction that
    waits for no lock longer than LOCK_TIMEOUT, so that an upgrade never stops the mail. Raises ConfigError in one sentence.
    """

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(dsn, timeout=30, server_settings={"application_name": "postrider-migrate"})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_upgrade, package, schema)
    except DBAPIError as error:
        raise ConfigError(f"schema {schema} could not be brought up to date: {_reason(error)}") from error
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise ConfigError(
            f"schema {schema} could not be brought up to date: the database went away ({type(error).__name__})"
        ) from error
    finally:
        await engine.dispose()


def _reason(error: DBAPIError) -> str:
    """Return the server's message on one line, with the advice to repeat a step that only failed to get a lock in time."""
    words = str(getattr(error.orig, "__cause__", None) or error.orig).splitlines()[0]
    state = getattr(error.orig, "sqlstate", None)
    again = "; nothing of this step was changed, run it again" if state in ("55P03", "57014", "40P01") else ""
    return f"{words} ({state}){again}"


def _upgrade(connection: Connection, package: str, schema: str) -> list[str]:
    scripts = _scripts(package)
    lock = zlib.crc32(f"postrider {schema}".encode())
    connection.execute(text(f"set lock_timeout = '{TURN_TIMEOUT}'"))
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": lock})
    connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"set statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    done: list[str] = []

    def steps(current: str | tuple[str, ...], _context: MigrationContext) -> list[object]:
        chosen = scripts._upgrade_revs("head", current)  # type: ignore[arg-type]
        done.extend(str(step.doc) for step in chosen)
        return list(chosen)

    def record(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:
        """Record the schema's revision and the oldest code that may run on it, in the transaction of the step."""
        revision = scripts.get_revision(str(step.up_revision_id))
        assert revision is not None and ctx.connection is not None
        if not ctx.connection.scalar(text("select to_regclass(:name)"), {"name": f"{schema}.schema_min_code"}):
            return  # before the revision that creates it
        ctx.connection.execute(
            text(f'update "{schema}".schema_min_code set version = :version, min_code = greatest(min_code, :least)'),  # noqa: S608 - the schemas are ours
            {"version": int(revision.revision), "least": int(revision.module.min_code)},
        )

    try:
        if not connection.scalar(text("select to_regnamespace(:name)"), {"name": f'"{schema}"'}):
            connection.execute(text(f'create schema "{schema}"'))
        state, code = _state(connection, schema), code_of(package)
        connection.commit()
        if state.version > code.number:
            refuse_newer(package, schema, state, code)
            return []
        with EnvironmentContext(Config(), scripts, fn=steps) as environment:
            environment.configure(
                connection=connection,
                version_table="schema_version",
                version_table_schema=schema,
                transaction_per_migration=True,
                on_version_apply=record,
            )
            with environment.begin_transaction():
                environment.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": lock})
        connection.commit()
    return done


def _state(connection: Connection, schema: str) -> State:
    def there(table: str) -> bool:
        return bool(connection.scalar(text("select to_regclass(:name)"), {"name": f"{schema}.{table}"}))

    version = there("schema_version") and connection.scalar(text(f'select version_num from "{schema}".schema_version'))  # noqa: S608
    least = there("schema_min_code") and connection.scalar(text(f'select min_code from "{schema}".schema_min_code'))  # noqa: S608
    return State(int(version or 0), int(least or 0))
