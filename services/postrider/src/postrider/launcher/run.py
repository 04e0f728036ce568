"""The run itself, in the launcher: everything is started, watched, and stopped as a whole."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from mailkit.errors import ConfigError
from postrider.launcher import state
from postrider.launcher.demo import make_demo
from postrider.launcher.parent import Parent
from postrider.launcher.plan import DATABASE_OWNERS, HOST, MAIL_PORTS, SERVICES, Plan
from postrider.launcher.postgres import EmbeddedPostgres
from postrider.launcher.processes import Service, migrate, stop_all, wait_ready
from postrider.launcher.screen import show

#: Seconds for the services to finish the work in hand; the database gets the rest of the 10 s.
STOP_SECONDS = 7.0
#: Seconds that a failed start waits for the signal that may have caused it.
STOP_SEEN_SECONDS = 0.5


def run(plan: Plan, parent: Parent) -> int:
    """Run until Ctrl-C or SIGTERM; return the exit status. Raises ConfigError."""
    if asyncio.run(_run(plan, parent, Console(stderr=False))):
        return 0
    # as the first time: the same process, with another parent of the services
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own program


@dataclass
class _Running:
    """What has been started and has to be stopped."""

    postgres: EmbeddedPostgres | None = None
    services: list[Service] = field(default_factory=list)


async def _run(plan: Plan, parent: Parent, console: Console) -> bool:
    """Run; return whether that was ended as asked. If not, the parent of the services has ended, and they with it."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    running = _Running()
    parent.listen()
    work = loop.create_task(_work(plan, parent, console, running))
    stop = loop.create_task(stopping.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            # Ctrl-C reaches the services at the same moment: one may have ended before the signal is handled here
            await asyncio.wait({stop}, timeout=STOP_SEEN_SECONDS)
        if work.done() and not stopping.is_set():
            _raise_first(work)
        work.cancel()  # a stop during the start is no failure
        await asyncio.gather(work, return_exceptions=True)
        return stopping.is_set()
    finally:
        (plan.state / state.ENV_FILE).unlink(missing_ok=True)
        if running.services and stopping.is_set():
            console.print("stopping")
        await stop_all(running.services, STOP_SECONDS)
        if running.postgres is not None:
            await running.postgres.stop(3.0)


def _raise_first(work: asyncio.Task[None]) -> None:
    """Raise the exception of `work`; of a group the first."""
    error = work.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error


async def _work(plan: Plan, parent: Parent, console: Console, running: _Running) -> None:
    """Start everything, then watch it until this is cancelled."""
    say = partial(console.print, soft_wrap=True, markup=False)  # keeps a path in one piece
    with console.status("starting the database"):
        dsn = plan.environ.get("POSTRIDER_DATABASE_URL") or ""
        if not dsn:
            folder, log = plan.state / "postgres", plan.state / "logs" / "postgres.log"
            running.postgres = EmbeddedPostgres(folder, log, say)
            await running.postgres.start()
            dsn = running.postgres.dsn
    secrets = state.load_secrets(plan)
    ca_file = state.make_certificates(plan)
    with console.status("bringing the schemas up to date"):
        await migrate(
            {name: plan.environment(name, dsn, secrets) for name in DATABASE_OWNERS},
            plan.state / "logs" / "migrate.log",
        )
    with console.status("starting the services"):
        for name in SERVICES:
            log = plan.state / "logs" / f"{name}.log"
            running.services.append(Service(name, plan.environment(name, dsn, secrets), log, say))
            running.services[-1].start(parent)
        await wait_ready(running.services, {name: plan.url(name) for name in SERVICES}, say)
    users = await make_demo(plan, secrets["ADMIN_TOKEN"])
    env_file = state.write_env(plan, _env_values(plan, secrets, ca_file, users))
    show(console, plan, users, ca_file, env_file)
    while not parent.ended.is_set():
        for service in running.services:
            service.watch(parent)
        if running.postgres is not None and running.postgres.poll() is not None:
            await _start_again(running.postgres, console)
        await asyncio.sleep(0.2)
    say("the parent of the services ended, and they with it; starting everything again")


async def _start_again(postgres: EmbeddedPostgres, console: Console) -> None:
    """Restart the database after it ended. Its old children hold its memory for a moment, so the first tries may fail."""
    console.print("the database ended; starting it again")
    for _ in range(60):
        try:
            return await postgres.start()
        except ConfigError as error:
            sentence = str(error)
            await asyncio.sleep(0.5)
    raise ConfigError(sentence)


def _env_values(plan: Plan, secrets: Mapping[str, str], ca_file: Path, users: list[tuple[str, str]]) -> dict[str, str]:
    """Return the lines of `postrider.env` as docs/contract.md lists them."""
    values = {f"{name}_PORT": str(plan.ports[name]) for name in MAIL_PORTS}
    values |= {f"{prefix}_URL": plan.url(name) for name, (_, _, prefix) in SERVICES.items()}
    return values | {
        "CA_FILE": str(ca_file),
        "HOST": HOST,
        "ADMIN_TOKEN": secrets["ADMIN_TOKEN"],
        "TOKEN_SIMULATE_GATEWAY": secrets["TOKEN_SIMULATE_GATEWAY"],
        "CLI": str(Path(sys.executable).parent / "postrider"),
        "LAUNCHER_PID": str(os.getpid()),
        "DEMO_DOMAIN": plan.demo_domain,
        "DEMO_USERS": ",".join(f"{address}:{password}" for address, password in users),
        "STATE": str(plan.state),
    }
