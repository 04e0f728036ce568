"""Start and stop of the service: settings, pools, operations, endpoints, change feed, shutdown."""

import asyncio

from bodystore import BodyStore
from mailkit import postgres_metrics
from mailkit.clock import DatabaseClock
from mailkit.command import Owned
from mailkit.db import PLANNER, connect
from mailkit.lifecycle import Lifecycle
from mailkit.logs import configure, get_logger
from mailkit.revisions import require_current
from mailkit.web import HttpSide
from mailstore.config import MailstoreSettings
from mailstore.parts import SERVICE, assemble, web

log = get_logger()


def schemas(settings: MailstoreSettings) -> list[Owned]:
    """Return the schemas to migrate: `bodies`, then `mailstore`."""
    return [Owned(settings.bodies_dsn, "bodystore", "bodies"), Owned(settings.dsn, "mailstore", "mailstore")]


def shares(connections: int) -> tuple[int, int]:
    """Divide a pool's connections: those for filing, the gateway's questions and maintenance, and those for the front ends.

    So reading mail never stops the filing of mail (decision 0034).
    """
    filing = max(1, connections * 3 // 8)
    return filing, connections - filing


async def serve(life: Lifecycle, settings: MailstoreSettings) -> None:
    """Run the service until `life` is stopping, then drain it."""
    configure(SERVICE, settings.log_level)
    dsn, bodies_dsn = settings.dsn, settings.bodies_dsn
    _ = settings.proofs  # raises before anything is opened if there is no key
    filing, reading = shares(settings.database_pool)
    pool = await connect(dsn, SERVICE, filing, PLANNER)
    await require_current(pool, "mailstore", "mailstore", "mailstore")
    sessions = await connect(dsn, SERVICE, reading, PLANNER)
    bodies_pool, session_bodies = pool, sessions
    if bodies_dsn != dsn:
        bodies_pool = await connect(bodies_dsn, SERVICE, filing, PLANNER)
        session_bodies = await connect(bodies_dsn, SERVICE, reading, PLANNER)
    await require_current(bodies_pool, "bodystore", "bodies", "mailstore")
    clock = DatabaseClock(pool, settings.clock_offset_seconds)
    await clock.sync()
    life.every(60, clock.sync)
    await postgres_metrics.report(life, pool)
    await postgres_metrics.report_bodies(life, bodies_pool)
    shared = bodies_dsn == dsn
    parts = assemble(
        settings, pool, BodyStore(bodies_pool, shared=shared), clock, sessions=sessions,
        session_bodies=BodyStore(session_bodies, shared=shared),
    )  # fmt: skip
    life.spawn(parts.feed.run())
    life.spawn(parts.maintenance.run())
    http = HttpSide(web(settings, life, parts), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    parts.feed.end()
    await http.stop()
    await life.cancel()
    await parts.maintenance.end()
    for each in {pool, sessions, bodies_pool, session_bodies}:
        try:
            await asyncio.wait_for(each.close(), 2)
        except TimeoutError:
            each.terminate()
    log.info("stopped")
