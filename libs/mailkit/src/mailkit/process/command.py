"""`python -m <service> [serve|openapi|…]`: the entry point of all services.

A failure is one sentence on standard error and exit status 78 (EX_CONFIG).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Generic, TypeVar

from mailkit.errors import ConfigError
from mailkit.process import lifecycle, logs, spans
from mailkit.process.config import ServiceSettings
from mailkit.process.lifecycle import Lifecycle

S = TypeVar("S", bound=ServiceSettings)

EX_USAGE = 64
#: Seconds between two exports of spans.
EXPORT_EVERY = 1.0


@dataclass(frozen=True)
class Program(Generic[S]):
    """The process of a service. `verbs`: further subcommands, called with the service's name and settings.

    The package's module `service` has `serve(life, settings)` and, with `has_api`, `openapi()`. It is imported only by the
    subcommands of these names: it and its web framework take two thirds of the start of a process that migrates a schema.
    """

    service: str
    package: str
    settings: type[S]
    verbs: Mapping[str, Callable[[str, S], Awaitable[None]]] = field(default_factory=dict)
    has_api: bool = False
    traces: bool = False
    """Whether it records spans."""


def main(program: Program[Any]) -> None:
    """Run the subcommand of the command line. Raises SystemExit with EX_USAGE for an unknown one."""
    load = program.settings.load
    match sys.argv[1:]:
        case [] | ["serve"]:
            lifecycle.run(program.service, lambda life: _serve(program, life, load()))
        case [verb] if work := program.verbs.get(verb):
            lifecycle.run(program.service, lambda life: _until_stopped(life, work(program.service, load())))
        case ["openapi"] if program.has_api:
            sys.stdout.write(_module(program).openapi().rstrip("\n") + "\n")
        case _:
            verbs = ["serve", *program.verbs, *(["openapi"] if program.has_api else [])]
            print(f"usage: python -m {program.package} [{'|'.join(verbs)}]", file=sys.stderr)
            raise SystemExit(EX_USAGE)


def _module(program: Program[Any]) -> Any:
    return import_module(f"{program.package}.service")


async def _serve(program: Program[Any], life: Lifecycle, settings: Any) -> None:
    """Run the service, from the set-up of its log to its last line."""
    logs.configure(program.service, settings.log_level, settings.log_address_key.get_secret_value())
    tracing = (
        spans.begin(program.service, settings.otlp_endpoint) if program.traces and settings.otlp_endpoint else None
    )
    if tracing:
        life.every(EXPORT_EVERY, tracing.export)
    await _module(program).serve(life, settings)
    if tracing:
        await tracing.export()
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
