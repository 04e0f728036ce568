"""`python -m <service> [serve|openapi|…]`: the entry point of all services.

A failure is one sentence on standard error and exit status 78 (EX_CONFIG).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mailkit.errors import ConfigError
from mailkit.process import lifecycle, logs
from mailkit.process.config import ServiceSettings
from mailkit.process.lifecycle import Lifecycle

S = TypeVar("S", bound=ServiceSettings)

EX_USAGE = 64


@dataclass(frozen=True)
class Program(Generic[S]):
    """The process of a service. `verbs`: further subcommands, called with the service's name and settings."""

    service: str
    package: str
    settings: type[S]
    serve: Callable[[Lifecycle, S], Awaitable[None]]
    verbs: Mapping[str, Callable[[str, S], Awaitable[None]]] = field(default_factory=dict)
    openapi: Callable[[], str] | None = None


def main(program: Program[Any]) -> None:
    """Run the subcommand of the command line. Raises SystemExit with EX_USAGE for an unknown one."""
    load = program.settings.load
    match sys.argv[1:]:
        case [] | ["serve"]:
            lifecycle.run(program.service, lambda life: _serve(program, life, load()))
        case [verb] if work := program.verbs.get(verb):
            lifecycle.run(program.service, lambda life: _until_stopped(life, work(program.service, load())))
        case ["openapi"] if program.openapi:
            sys.stdout.write(program.openapi().rstrip("\n") + "\n")
        case _:
            verbs = ["serve", *program.verbs, *(["openapi"] if program.openapi else [])]
            print(f"usage: python -m {program.package} [{'|'.join(verbs)}]", file=sys.stderr)
            raise SystemExit(EX_USAGE)


async def _serve(program: Program[Any], life: Lifecycle, settings: Any) -> None:
    """Run the service, from the set-up of its log to its last line."""
    logs.configure(program.service, settings.log_level, settings.log_address_key.get_secret_value())
    await program.serve(life, settings)
    logs.get_logger().info("stopped")


async def _until_stopped(life: Lifecycle, work: Awaitable[None]) -> None:
    """Await `work`; a signal cancels it, and the open step of a migration is rolled back. Raises ConfigError then."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(life.stopping.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    raise ConfigError("stopped by a signal before it was done; run it again")
