"""The subcommands of a service with a database: `migrate` and `wait-schema`."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailkit.errors import ConfigError
from mailkit.postgres import revisions
from mailkit.postgres.pool import connect

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
    from mailkit.postgres import migrate, roles  # noqa: PLC0415 - alembic costs 0.4 s, which serving need not pay

    for dsn in {each.dsn for each in owned}:
        pool = await connect(dsn, service, 1)
        await pool.close()
    for each in owned:
        for step in await migrate.upgrade(each.dsn, each.package, each.schema):
            print(f"{service}: {each.schema}: {step}", flush=True)
    if settings.database_roles:
        password = roles.read_password(settings.database_roles, role)
        for dsn in dict.fromkeys(each.dsn for each in owned):
            names = [each.schema for each in owned if each.dsn == dsn]
            await roles.ensure_role(dsn, role, password, names)
            print(f"{service}: role postrider_{role}: {', '.join(names)}", flush=True)


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
