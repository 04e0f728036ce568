"""The schema that this code needs and the one a database has, compared when a service starts (docs/decisions/0021).

Migrations are scripts for alembic (`mailkit.postgres.migrate`). Their numbers are read here without running them, so that a service
that only serves loads neither alembic nor SQLAlchemy, which would be a third of its start-up time.
"""

import ast
import asyncio
from dataclasses import dataclass
from importlib import resources

import asyncpg

from mailkit.errors import ConfigError
from mailkit.postgres.pool import DATABASE_ERRORS


class CodeTooOld(ConfigError):
    """The schema is too new for this code: waiting does not help."""


@dataclass(frozen=True)
class Code:
    """Revisions of an installed package: its own number, and that of the oldest schema it runs on."""

    number: int
    needs: int


@dataclass(frozen=True)
class State:
    """Revisions of a database: the schema's, and the oldest code that may run on it. `version` 0: no schema yet."""

    version: int
    min_code: int


def code_of(package: str) -> Code:
    """Return the revisions of the installed package: of its newest script, and of the newest with `needed`."""
    needed = {}
    for script in resources.files(package).joinpath("migrations", "versions").iterdir():
        if script.name.endswith(".py"):
            values = _constants(script.read_text())
            if "revision" not in values:  # not a script; alembic skips such files too
                continue
            needed[int(str(values["revision"]))] = bool(values.get("needed", True))
    return Code(max(needed), max(number for number, need in needed.items() if need))


def _constants(source: str) -> dict[str, object]:
    """Return the constants that a module assigns at its top level (`a = 1`, `a: int = 1`, `a, b = 1, 2`)."""
    found: dict[str, object] = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=ast.Constant(value)):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(name), value=ast.Constant(value)):
                found[name] = value
            case ast.Assign(targets=[ast.Tuple(names)], value=ast.Tuple(values)):
                for target, each in zip(names, values, strict=False):
                    if isinstance(target, ast.Name) and isinstance(each, ast.Constant):
                        found[target.id] = each.value
    return found


def refuse_newer(package: str, schema: str, state: State, code: Code) -> None:
    """Check that the schema accepts this code. Raises CodeTooOld."""
    if code.number < state.min_code:
        raise CodeTooOld(
            f"schema {schema} is at revision {state.version:04} and takes code {state.min_code:04} or newer, "
            f"this code is {code.number:04}; start a newer release"
        )


async def read_state(pool: asyncpg.Pool, schema: str) -> State:
    """Read the revisions of `schema` from the database. Raises the errors of asyncpg."""
    try:
        version = await pool.fetchval(f'select version_num from "{schema}".schema_version')  # noqa: S608 - the schemas are ours
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        version = None
    try:
        least = await pool.fetchval(f'select min_code from "{schema}".schema_min_code')  # noqa: S608 - the schemas are ours
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        least = None
    return State(int(version or 0), int(least or 0))


async def require_current(pool: asyncpg.Pool, package: str, schema: str, command: str) -> None:
    """Check that this code may run on the database's `schema` and that the schema has what the code needs.

    `command`: the package whose `migrate` upgrades it. Raises ConfigError, which says what to do.
    """
    try:
        state = await read_state(pool, schema)
    except asyncpg.InsufficientPrivilegeError:
        raise ConfigError(
            f"this database user may not read schema {schema}; "
            f"run `python -m {command} migrate` with POSTRIDER_DATABASE_ROLES, or grant it the rights"
        ) from None
    except DATABASE_ERRORS as error:
        raise ConfigError(f"the database went away ({type(error).__name__})") from error
    code = await asyncio.to_thread(code_of, package)
    refuse_newer(package, schema, state, code)
    if state.version < code.needs:
        found = f"{state.version:04}" if state.version else "none"
        raise ConfigError(
            f"schema {schema} is at revision {found}, this code needs {code.needs:04}; "
            f"run `python -m {command} migrate`"
        )
