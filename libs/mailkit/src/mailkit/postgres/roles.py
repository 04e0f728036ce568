"""A login role per service with rights on its own schemas only, created by `migrate` (docs/decisions/0022)."""

import base64
import os
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from mailkit.errors import ConfigError
from mailkit.mail.scram_keys import LEAST_ITERATIONS, derive
from mailkit.postgres.pool import DATABASE_ERRORS, Connection

#: The role that auth takes for callers who see a part of the rows; the migrations of its schema make it (docs/decisions/0118).
SCOPED = "postrider_scoped"
#: Tables that only `migrate` writes, and the audit, which triggers write.
_READ_ONLY = ("schema_version", "schema_min_code", "audit")


def read_password(folder: str, role: str) -> str:
    """Read the role's password from its file. Raises ConfigError."""
    path = Path(folder) / role
    try:
        password = path.read_text().strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"POSTRIDER_DATABASE_ROLES: {path} cannot be read ({type(error).__name__})") from None
    if not password:
        raise ConfigError(f"POSTRIDER_DATABASE_ROLES: {path} is empty; it holds the role's password")
    return password


def verifier(password: str, salt: bytes | None = None) -> str:
    """Return what Postgres stores of a password (SCRAM-SHA-256, RFC 5803).

    It is sent instead of the password, which is then in no statement log.
    """
    salt = salt or os.urandom(16)
    keys = derive(unicodedata.normalize("NFKC", password), salt, LEAST_ITERATIONS)
    coded = [base64.b64encode(part).decode() for part in (salt, keys.stored, keys.server)]
    return f"SCRAM-SHA-256${LEAST_ITERATIONS}:{coded[0]}${coded[1]}:{coded[2]}"


async def ensure_role(dsn: str, role: str, password: str, schemas: Sequence[str]) -> None:
    """Create the login role `postrider_<role>`, or update its password and rights.

    The user of `dsn` owns the schemas. Raises ConfigError in one sentence if it may not create roles.
    """
    name = f"postrider_{role}"
    try:
        connection = await asyncpg.connect(dsn, timeout=30, server_settings={"application_name": "postrider-migrate"})
        try:
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '60s'")
                # the services' jobs run in parallel, and concurrent changes of the rights on one object fail
                await connection.execute("select pg_advisory_xact_lock($1)", zlib.crc32(b"postrider roles"))
                await _login(connection, name, password)
                for schema in sorted(schemas):
                    await _rights(connection, name, schema)
                if "auth" in schemas:
                    # may be taken, and is not inherited: its policies would confine the service itself
                    await connection.execute(f"alter role {name} noinherit")
                    await connection.execute(f"grant {SCOPED} to {name}")
        finally:
            await connection.close()
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigError(
            f"role {name} could not be made or changed ({error.args[0]}); give the database's user CREATEROLE, make "
            "the roles yourself, or run with one user for all"
        ) from None
    except DATABASE_ERRORS as error:
        raise ConfigError(f"role {name} could not be made: {type(error).__name__}") from error


async def _login(connection: Connection, name: str, password: str) -> None:
    there = await connection.fetchval("select true from pg_roles where rolname = $1", name)
    verb = "alter" if there else "create"
    await connection.execute(f"{verb} role {name} login password '{verifier(password)}'")
    owned = await connection.fetchval(
        "select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()"
    )
    if owned:  # otherwise an owner who has revoked CONNECT from public has to grant it
        database = await connection.fetchval("select quote_ident(current_database())")
        await connection.execute(f"grant connect on database {database} to {name}")


async def _rights(connection: Connection, name: str, schema: str) -> None:
    """Grant rights on rows, not tables: a service creates and drops partitions through functions that do nothing else."""
    rows, all_tables = "select, insert, update, delete", f"all tables in schema {schema}"
    await connection.execute(f"grant usage on schema {schema} to {name}")
    await connection.execute(f"grant {rows} on {all_tables} to {name}")
    await connection.execute(f"grant execute on all functions in schema {schema} to {name}")
    await connection.execute(f"alter default privileges in schema {schema} grant {rows} on tables to {name}")
    await connection.execute(f"alter default privileges in schema {schema} grant execute on functions to {name}")
    for table in _READ_ONLY:
        if not await connection.fetchval("select to_regclass($1)", f"{schema}.{table}"):
            continue
        await connection.execute(f"revoke insert, update, delete on {schema}.{table} from {name}")
