"""Wiring: settings, pool, clock, application, drain. `python -m auth [serve|migrate|openapi]`."""

import asyncio
import json
import sys
import time
from datetime import timedelta

import asyncpg

from auth.app import Parts, build
from auth.config import AuthSettings
from auth.maintenance import Maintenance
from auth.passwords import HashQueue, Passwords
from auth.storage.schema import SCHEMA
from mailkit import lifecycle, logs, migrate
from mailkit.clock import DatabaseClock, SystemClock
from mailkit.db import create_pool
from mailkit.errors import ConfigError, Unavailable
from mailkit.lifecycle import Lifecycle
from mailkit.web import HttpSide

#: How long a start waits for Postgres.
PATIENCE = 30.0
SERVICE = "auth"


async def serve(life: Lifecycle) -> None:
    """Run until asked to stop."""
    settings = AuthSettings.load()
    logs.configure(SERVICE, settings.log_level)
    _ = settings.grants, settings.exempt  # a network that is none is refused before anything listens
    pool = await open_pool(settings)
    queue = HashQueue(settings.hash_queue)
    try:
        await migrate.require_current(pool, SERVICE, SCHEMA)
        clock = DatabaseClock(pool, settings.clock_offset_seconds)
        await clock.sync()
        passwords = await asyncio.to_thread(Passwords)
        side = HttpSide(
            build(Parts(settings, pool, clock, passwords, queue), life), settings.http_host, settings.http_port
        )
        await side.start()
        life.every(60, clock.sync)
        window = timedelta(seconds=settings.login_failure_window_seconds)
        life.every(60, Maintenance(pool, clock, window).run)
        life.ready = True
        logs.get_logger().info("ready", port=side.port)
        await life.stopping.wait()
        logs.get_logger().info("draining")
        await asyncio.sleep(settings.drain_delay_seconds)
        await side.stop()
    finally:
        queue.close()
        pool.terminate()
    logs.get_logger().info("stopped")


async def open_pool(settings: AuthSettings) -> asyncpg.Pool:
    """The pool, once Postgres answers. Raises ConfigError when it does not within PATIENCE."""
    dsn = database_url(settings)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await create_pool(dsn, service=SERVICE, size=settings.database_pool)
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise ConfigError(f"{error}; waited {PATIENCE:.0f} s for POSTRIDER_DATABASE_URL") from error
        await asyncio.sleep(0.25)


def database_url(settings: AuthSettings) -> str:
    """Raises ConfigError when it is not set."""
    dsn = settings.database_url.get_secret_value()
    if not dsn:
        raise ConfigError("POSTRIDER_DATABASE_URL is not set; it names the Postgres that holds schema auth")
    return dsn


async def upgrade(_life: Lifecycle) -> None:
    """Bring the schema to this code's revision."""
    settings = AuthSettings.load()
    pool = await open_pool(settings)
    pool.terminate()
    for step in await migrate.upgrade(database_url(settings), SERVICE, SCHEMA):
        print(f"auth: {step}")


def openapi() -> str:
    """The application's OpenAPI document, as `proto/auth/openapi.json` holds it."""
    parts = Parts(AuthSettings(), None, SystemClock(), Passwords(), HashQueue(1))  # type: ignore[arg-type]
    return json.dumps(build(parts, Lifecycle()).openapi(), indent=2, sort_keys=True) + "\n"


def main() -> None:
    """The command line of the service's process."""
    match sys.argv[1:]:
        case [] | ["serve"]:
            lifecycle.run(SERVICE, serve)
        case ["migrate"]:
            lifecycle.run(SERVICE, upgrade)
        case ["openapi"]:
            sys.stdout.write(openapi())
        case _:
            sys.exit("usage: python -m auth [serve|migrate|openapi]")
