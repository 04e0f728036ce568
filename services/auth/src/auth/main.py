"""Start, run and stop of the process: settings, database pools, clock, application, drain."""

import asyncio
import json
from datetime import timedelta

from pydantic import SecretStr

from auth.app import Parts, build
from auth.config import AuthSettings
from auth.maintenance import PERIOD, Maintenance
from auth.passwords import HashQueue, Passwords
from auth.storage.names import SCHEMA
from mailkit import logs, postgres_metrics
from mailkit.clock import DatabaseClock, SystemClock
from mailkit.command import Owned, Program
from mailkit.db import PLANNER, connect
from mailkit.ids import new_id
from mailkit.lifecycle import Lifecycle
from mailkit.proof import SHORTEST_KEY
from mailkit.revisions import require_current
from mailkit.singleton import Singleton
from mailkit.web import HttpSide

SERVICE = "auth"


def shares(connections: int) -> tuple[int, int]:
    """Split the connections: (for logins and operators, for the questions of the mail flow). Neither delays the other.

    The few statements of the mail flow are planned once (docs/decisions/0028).
    """
    questions = max(1, connections // 2)
    return max(1, connections - questions), questions


async def serve(life: Lifecycle, settings: AuthSettings) -> None:
    """Run the service until the process is asked to stop."""
    logs.configure(SERVICE, settings.log_level)
    # evaluated first: a malformed network or key is refused before anything listens
    _ = (
        settings.grants,
        settings.exempt,
        settings.proofs,
    )
    logins, asked = shares(settings.database_pool)
    pool = await connect(settings.dsn, SERVICE, logins)
    questions = await connect(settings.dsn, SERVICE, asked, PLANNER)
    queue = HashQueue(settings.hash_queue)
    try:
        await require_current(pool, "auth", SCHEMA, "auth")
        clock = DatabaseClock(pool, settings.clock_offset_seconds)
        await clock.sync()
        passwords = await asyncio.to_thread(Passwords)
        side = HttpSide(
            build(Parts(settings, pool, questions, clock, passwords, queue), life),
            settings.http_host,
            settings.http_port,
            settings.metrics_port,
        )
        await side.start()
        life.every(60, clock.sync)
        window = timedelta(seconds=settings.login_failure_window_seconds)
        maintenance = Maintenance(clock, window, Singleton(pool, clock, new_id(), SCHEMA, "maintain", period=PERIOD))
        life.every(PERIOD.total_seconds(), maintenance.run)
        await postgres_metrics.report(life, pool)
        life.ready = True
        logs.get_logger().info("ready", port=side.port)
        await life.stopping.wait()
        logs.get_logger().info("draining")
        await asyncio.sleep(settings.drain_delay_seconds)
        await side.stop()
        await life.cancel()
        await maintenance.end()
    finally:
        queue.close()
        pool.terminate()
        questions.terminate()
    logs.get_logger().info("stopped")


def openapi() -> str:
    """Return the application's OpenAPI document, the content of `proto/auth/openapi.json`."""
    settings = AuthSettings(proof_key=SecretStr("0" * SHORTEST_KEY))
    parts = Parts(settings, None, None, SystemClock(), Passwords(), HashQueue(1))  # type: ignore[arg-type]
    return json.dumps(build(parts, Lifecycle()).openapi(), indent=2, sort_keys=True) + "\n"


PROGRAM = Program(
    SERVICE, "auth", AuthSettings, serve, lambda settings: [Owned(settings.dsn, "auth", SCHEMA)], openapi, role="auth"
)  # fmt: skip
