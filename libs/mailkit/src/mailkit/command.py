"""`python -m <service> [serve|migrate|wait-schema|openapi]`: the entry point of all services.

A failure is one sentence on standard error and exit status 78 (EX_CONFIG).
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mailkit.errors import ConfigError
from mailkit.process import lifecycle, logs
from mailkit.process.config import ServiceSettings
from mailkit.process.lifecycle import Lifecycle

S = TypeVar("S", bound=ServiceSettings)

EX_USAGE = 64
#: Seconds between two checks of `wait-schema`.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Owned:
    """A schema that a service reads and writes: its database and the package with its migrations."""

    dsn: str
    package: str
    schema: str


@dataclass(frozen=True)
class Program(Generic[S]):
    """The process of a service.

    `schemas`: returns the schemas it needs, in the order in which they are created; None: it has no database. `role`: the
    short name of its database role.
    """

    service: str
    package: str
    settings: type[S]
    serve: Callable[[Lifecycle, S], Awaitable[None]]
    schemas: Callable[[S], Sequence[Owned]] | None = None
    openapi: Callable[[], str] | None = None
    role: str = ""


def main(program: Program[Any]) -> None:
    """Run the subcommand of the command line. Raises SystemExit with EX_USAGE for another one."""
    load = program.settings.load
    match sys.argv[1:]:
        case [] | ["serve"]:
            lifecycle.run(program.service, lambda life: _serve(program, life, load()))
        case ["migrate"] if program.schemas:
            lifecycle.run(program.service, lambda life: _until_told(life, _migrate(program, load())))
        case ["wait-schema"] if program.schemas:
            lifecycle.run(program.service, lambda life: _until_told(life, _wait_schema(program, load())))
        case ["openapi"] if program.openapi:
            sys.stdout.write(program.openapi().rstrip("\n") + "\n")
        case _:
            verbs = ["serve", *(["migrate", "wait-schema"] if program.schemas else [])]
            print(f"usage: python -m {program.package} [{'|'.join(verbs + ['openapi'] * bool(program.openapi))}]",
                  file=sys.stderr)  # fmt: skip
            raise SystemExit(EX_USAGE)


async def _serve(program: Program[Any], life: Lifecycle, settings: Any) -> None:
    """Run the service, from the set-up of its log to its last line."""
    logs.configure(program.service, settings.log_level)
    await program.serve(life, settings)
    logs.get_logger().info("stopped")


async def _until_told(life: Lifecycle, work: Awaitable[None]) -> None:
    """Await `work`; a signal cancels it, and the open step of a migration is rolled back. Raises ConfigError then."""
    task = asyncio.ensure_future(work)
    told = asyncio.ensure_future(life.stopping.wait())
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    raise ConfigError("told to stop before it was done; run it again")


async def _migrate(program: Program[Any], settings: Any) -> None:
    """Upgrade the schemas to the revisions of this code, and the database role; a newer schema is left unchanged."""
    from mailkit.postgres import migrate, roles
    from mailkit.postgres.pool import connect  # noqa: PLC0415 - alembic costs 0.4 s, which the edges need not pay

    assert program.schemas is not None
    owned = program.schemas(settings)
    for dsn in {each.dsn for each in owned}:
        pool = await connect(dsn, program.service, 1)
        await pool.close()
    for each in owned:
        for step in await migrate.upgrade(each.dsn, each.package, each.schema):
            print(f"{program.service}: {each.schema}: {step}", flush=True)
    if settings.database_roles:
        password = roles.read_password(settings.database_roles, program.role)
        for dsn in dict.fromkeys(each.dsn for each in owned):
            schemas = [each.schema for each in owned if each.dsn == dsn]
            await roles.ensure_role(dsn, program.role, password, schemas)
            print(f"{program.service}: role postrider_{program.role}: {', '.join(schemas)}", flush=True)


async def _wait_schema(program: Program[Any], settings: Any) -> None:
    """Wait until this code may run on every schema. Raises ConfigError at the deadline, or if the code is too old.

    All other errors are waited for, a wrong password too, since `migrate` creates the roles. The reason for waiting is
    printed whenever it changes.
    """
    from mailkit.postgres import revisions
    from mailkit.postgres.pool import connect  # noqa: PLC0415 - the edges have no database

    assert program.schemas is not None
    end = time.monotonic() + settings.schema_wait_seconds
    said = ""
    while True:
        try:
            for each in program.schemas(settings):
                pool = await connect(each.dsn, program.service, 1, patience=0)
                try:
                    await revisions.require_current(pool, each.package, each.schema, program.package)
                finally:
                    pool.terminate()
            return
        except revisions.CodeTooOld:
            raise
        except ConfigError as error:
            if time.monotonic() + LOOK_SECONDS > end:
                raise ConfigError(f"{error} (waited {settings.schema_wait_seconds:g} s)") from error
            if str(error) != said:
                said = str(error)
                print(f"{program.service}: waiting: {said}", file=sys.stderr, flush=True)
        await asyncio.sleep(LOOK_SECONDS)
