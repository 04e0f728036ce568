"""Schema migrations: alembic scripts inside a service's package, run under an advisory lock (design.md "Inside a service").

A package that owns a schema holds `migrations/versions/NNNN_what.py` and its metadata. `upgrade` is called by
`python -m <service> migrate`; `require_current` by the service at its start.
"""

import asyncio
import zlib
from importlib import resources

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from mailkit.errors import ConfigError


def _scripts(package: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(resources.files(package).joinpath("migrations")).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _sqlalchemy_url(dsn: str) -> str:
    kind, _, rest = dsn.partition("://")
    return f"postgresql+asyncpg://{rest}" if kind in ("postgres", "postgresql") else dsn


def head(package: str) -> str:
    """The newest revision that `package` brings."""
    return str(_scripts(package).get_current_head())


async def upgrade(dsn: str, package: str, schema: str) -> list[str]:
    """Bring `schema` to the newest revision; returns the revisions that were run.

    Services that start together wait for each other (advisory lock); a lock that a running service holds on a table
    is waited for 10 s at most, so that an upgrade never stops the mail.
    """
    engine = create_async_engine(_sqlalchemy_url(dsn))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_upgrade, package, schema)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, package: str, schema: str) -> list[str]:
    scripts = _scripts(package)
    lock = zlib.crc32(f"postrider {schema}".encode())
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": lock})
    connection.execute(text(f'create schema if not exists "{schema}"'))
    connection.execute(text("set lock_timeout = '10s'"))
    connection.commit()
    done: list[str] = []

    def steps(current: str | tuple[str, ...], _context: MigrationContext) -> list[object]:
        chosen = scripts._upgrade_revs("head", current)  # type: ignore[arg-type]
        done.extend(str(step.doc) for step in chosen)
        return list(chosen)

    try:
        with EnvironmentContext(Config(), scripts, fn=steps) as environment:
            environment.configure(
                connection=connection, version_table="schema_version", version_table_schema=schema,
                transaction_per_migration=True,
            )  # fmt: skip
            with environment.begin_transaction():
                environment.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": lock})
        connection.commit()
    return done


async def require_current(pool: asyncpg.Pool, package: str, schema: str) -> None:
    """Refuse a database whose `schema` is not at the revision this code was made for.

    Raises ConfigError that says what to type.
    """
    try:
        found = await pool.fetchval(f'select version_num from "{schema}".schema_version')
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        found = None
    wanted = await asyncio.to_thread(head, package)
    if found != wanted:
        raise ConfigError(
            f"schema {schema} is at revision {found or 'none'}, this code needs {wanted}; "
            f"run `python -m {package} migrate`"
        )
