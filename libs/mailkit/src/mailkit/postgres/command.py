"""The subcommands of a service with a database: `migrate` and `wait-schema`."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from mailkit.errors import ConfigError
from mailkit.postgres import revisions, roles
from mailkit.postgres.pool import DATABASE_ERRORS, connect

#: Seconds between two checks of `wait-schema`.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Owned:
    """A schema that a service reads and writes: its database and the package with its migrations."""

    dsn: str
    package: str
    schema: str


def schema_verbs(
    package: str, schemas: Callable[[Any], Sequence[Owned]], role: str
) -> Mapping[str, Callable[[str, Any], Awaitable[None]]]:
    """Return the verbs of the service in `package`, for `mailkit.process.command.Program`.

    `schemas`: returns the schemas that it needs, in the order in which they are created. `role`: the short name of its
    database role.
    """

    async def migrate(service: str, settings: Any) -> None:
        await _migrate(service, settings, schemas(settings), role)

    async def wait_schema(service: str, settings: Any) -> None:
        await _wait_schema(service, package, settings.schema_wait_seconds, lambda: schemas(settings))

    return {"migrate": migrate, "wait-schema": wait_schema}


async def _migrate(service: str, settings: Any, owned: Sequence[Owned], role: str) -> None:
    """Upgrade the schemas to the revisions of this code, and the database role; a newer schema is left unchanged."""
    for each in owned:
        if await _is_newest(service, each):
            continue
        from mailkit.postgres import migrate  # noqa: PLC0415 - alembic costs 0.4 s, which few starts need to pay

        for step in await migrate.upgrade(each.dsn, each.package, each.schema):
            print(f"{service}: {each.schema}: {step}", flush=True)
    if settings.database_roles:
        password = roles.read_password(settings.database_roles, role)
        for dsn in dict.fromkeys(each.dsn for each in owned):
            names = [each.schema for each in owned if each.dsn == dsn]
            await roles.ensure_role(dsn, role, password, names)
            print(f"{service}: role postrider_{role}: {', '.join(names)}", flush=True)


async def _is_newest(service: str, owned: Owned) -> bool:
    """Return whether the schema is at the revision of this code, so that there is no step to run."""
    pool = await connect(owned.dsn, service, 1)
    try:
        state = await revisions.read_state(pool, owned.schema)
    except asyncpg.InsufficientPrivilegeError:
        return False  # `upgrade` names the right that is missing
    except DATABASE_ERRORS as error:
        raise ConfigError(f"the database went away ({type(error).__name__})") from error
    finally:
        await pool.close()
    return state.version == revisions.code_of(owned.package).number


async def _wait_schema(service: str, package: str, limit: float, schemas: Callable[[], Sequence[Owned]]) -> None:
    """Wait until this code may run on every schema. Raises ConfigError after `limit` seconds, or if the code is too old.

    All other errors are waited for, a wrong password too, since `migrate` creates the roles. The reason for waiting is
    printed whenever it changes.
    """
    end = time.monotonic() + limit
    said = ""
    while True:
        try:
            for each in schemas():
                pool = await connect(each.dsn, service, 1, patience=0)
                try:
                    await revisions.require_current(pool, each.package, each.schema, package)
                finally:
                    pool.terminate()
            return
        except revisions.CodeTooOld:
            raise
        except ConfigError as error:
            if time.monotonic() + LOOK_SECONDS > end:
                raise ConfigError(f"{error} (waited {limit:g} s)") from error
            if str(error) != said:
                said = str(error)
                print(f"{service}: waiting: {said}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_SECONDS)
