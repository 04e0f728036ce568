"""`postrider run`: from an empty folder to a mail service on loopback, and back to nothing running."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from mailkit.errors import ConfigError
from postrider.launcher import state
from postrider.launcher.demo import make_demo
from postrider.launcher.plan import DATABASE_OWNERS, HOST, MAIL_PORTS, SERVICES, Plan, make_plan
from postrider.launcher.postgres import EmbeddedPostgres
from postrider.launcher.processes import Service, migrate, pipe, stop_all, wait_ready
from postrider.launcher.screen import show

#: Services get this long to finish what they have in hand, the database the rest of the 10 s.
STOP_SECONDS = 7.0


def run() -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit status. Whatever is wrong is one sentence on standard error."""
    console = Console(stderr=False)
    try:
        plan = make_plan()
        lock = state.take(plan)
        state.check_ports(plan)
        with lock:
            return asyncio.run(_run(plan, console))
    except ConfigError as error:
        print(f"postrider: {error}", file=sys.stderr)
        return 78


async def _run(plan: Plan, console: Console) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    postgres: EmbeddedPostgres | None = None
    services: list[Service] = []
    try:
        with console.status("starting the database"):
            dsn = plan.environ.get("POSTRIDER_DATABASE_URL") or ""
            if not dsn:
                postgres = EmbeddedPostgres(plan.state / "postgres", plan.state / "logs" / "postgres.log")
                await postgres.start()
                dsn = postgres.dsn
        secrets = state.load_secrets(plan)
        ca_file = state.make_certificates(plan)
        with console.status("bringing the schemas up to date"):
            await migrate(
                {name: plan.environment(name, dsn, secrets) for name in DATABASE_OWNERS},
                plan.state / "logs" / "migrate.log",
            )
        read_end, _write_end = pipe()
        with console.status("starting the services"):
            for name in SERVICES:
                log = plan.state / "logs" / f"{name}.log"
                services.append(Service(name, plan.environment(name, dsn, secrets), log, console.print))
                services[-1].start(read_end)
            ready = asyncio.create_task(wait_ready(services, {name: plan.url(name) for name in SERVICES}))
            await asyncio.wait(
                {ready, stop := asyncio.create_task(stopping.wait())}, return_when=asyncio.FIRST_COMPLETED
            )
            if not stop.done():
                ready.result()
            ready.cancel()
        if not stopping.is_set():
            users = await make_demo(plan, secrets["ADMIN_TOKEN"])
            env_file = state.write_env(plan, _env_values(plan, secrets["ADMIN_TOKEN"], ca_file, users))
            show(console, plan, users, ca_file, env_file)
        while not stopping.is_set():
            for service in services:
                service.watch(read_end)
            if postgres is not None and postgres.poll() is not None:
                await _start_again(postgres, console)
            try:
                await asyncio.wait_for(stopping.wait(), 0.2)
            except TimeoutError:
                continue
        return 0
    finally:
        (plan.state / state.ENV_FILE).unlink(missing_ok=True)
        if services:
            console.print("stopping")
        await stop_all(services, STOP_SECONDS)
        if postgres is not None:
            await postgres.stop(3.0)


async def _start_again(postgres: EmbeddedPostgres, console: Console) -> None:
    """The database ended; its old children hold its memory for a moment, so the first tries may fail."""
    console.print("the database ended; starting it again")
    for _ in range(60):
        try:
            return await postgres.start()
        except ConfigError as error:
            sentence = str(error)
            await asyncio.sleep(0.5)
    raise ConfigError(sentence)


def _env_values(plan: Plan, admin_token: str, ca_file: Path, users: list[tuple[str, str]]) -> dict[str, str]:
    """The lines of `postrider.env` as design.md lists them."""
    values = {f"{name}_PORT": str(plan.ports[name]) for name in MAIL_PORTS}
    values |= {f"{prefix}_URL": plan.url(name) for name, (_, _, prefix) in SERVICES.items()}
    return values | {
        "CA_FILE": str(ca_file),
        "HOST": HOST,
        "ADMIN_TOKEN": admin_token,
        "CLI": str(Path(sys.executable).parent / "postrider"),
        "LAUNCHER_PID": str(os.getpid()),
        "DEMO_DOMAIN": plan.demo_domain,
        "DEMO_USERS": ",".join(f"{address}:{password}" for address, password in users),
        "STATE": str(plan.state),
    }
