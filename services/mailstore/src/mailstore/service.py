"""The service from its settings to its end: pools, parts, endpoints, background work, drain."""

import json
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
from pydantic import SecretStr

from bodystore import body_store, require_objects
from mailkit.postgres import metrics as postgres_metrics
from mailkit.postgres.clock import DatabaseClock
from mailkit.postgres.pool import PLANNER, close, connect
from mailkit.postgres.revisions import require_current
from mailkit.process.clock import SystemClock
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import App, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.proof import SHORTEST_KEY
from mailstore.config import MailstoreSettings
from mailstore.handlers import admin, check, endpoints, trace, undelete
from mailstore.parts import Parts, assemble
from mailstore.reading.first_fetch import STORE_SECONDS

SERVICE = "mailstore"


def web(settings: MailstoreSettings, life: Lifecycle, parts: Parts) -> App:
    """Return the HTTP application: health, the MessagePack endpoints, the operators' API."""
    tokens = Tokens(
        {
            "gateway": settings.token_gateway_mailstore,
            "queue": settings.token_queue_mailstore,
            "frontend": settings.token_frontend_mailstore,
            "admin": settings.admin_token,
        }
    )

    async def database() -> None:
        await parts.pool.fetchval("select 1")

    app = create_app(SERVICE, life, {"database": database}, tokens)
    endpoints.add(app, parts.steps, life, settings.max_message_bytes)
    app.include_router(admin.router(parts.usage, parts.purger))
    app.include_router(undelete.router(parts.recoverable, parts.undeleter))
    app.include_router(check.router(parts.checker))
    app.include_router(trace.router(parts.traces))
    return app


def shares(connections: int) -> tuple[int, int]:
    """Split the connections: (for filing, the gateway's questions and maintenance, for the front ends).

    So reading mail never stops the filing of mail (decision 0034).
    """
    filing = max(1, connections * 3 // 8)
    return filing, connections - filing


@dataclass(frozen=True)
class Pools:
    """Connections to the databases of the messages and of their bodies, which may be the same one."""

    filing: asyncpg.Pool
    sessions: asyncpg.Pool
    bodies: asyncpg.Pool
    session_bodies: asyncpg.Pool

    @classmethod
    async def open(cls, settings: MailstoreSettings) -> "Pools":
        """Connect, and require that this code may run on the schemas. Raises ConfigError."""
        for_filing, for_sessions = shares(settings.database_pool)
        filing = bodies = await connect(settings.dsn, SERVICE, for_filing, PLANNER)
        await require_current(filing, "mailstore", "mailstore", "mailstore")
        sessions = session_bodies = await connect(settings.dsn, SERVICE, for_sessions, PLANNER)
        if settings.bodies_dsn != settings.dsn:
            bodies = await connect(settings.bodies_dsn, SERVICE, for_filing, PLANNER)
            session_bodies = await connect(settings.bodies_dsn, SERVICE, for_sessions, PLANNER)
        await require_current(bodies, "bodystore", "bodies", "mailstore")
        return cls(filing, sessions, bodies, session_bodies)

    async def close(self) -> None:
        await close(self.filing, self.sessions, self.bodies, self.session_bodies)


async def start(life: Lifecycle, pools: Pools, clock: DatabaseClock, parts: Parts) -> None:
    """Start the background work."""
    life.every(60, clock.sync)
    await postgres_metrics.report(life, pools.filing)
    await postgres_metrics.report_bodies(life, pools.bodies)
    life.spawn(parts.feed.run())
    life.spawn(parts.maintenance.run())
    life.spawn(parts.warner.run())
    life.every(STORE_SECONDS, parts.fetches.store)
    if parts.index is not None:
        life.spawn(parts.index.run())


async def drain(life: Lifecycle, http: HttpSide, parts: Parts) -> None:
    """End the feeds, answer what was asked, announce the last changes, then end the background work."""
    parts.feed.end()
    await http.stop()
    await parts.notifications.flush()
    await parts.fetches.store()
    await life.cancel()
    await parts.maintenance.end()


async def serve(life: Lifecycle, settings: MailstoreSettings) -> None:
    """Run the service until the process is asked to stop."""
    _ = settings.proofs  # a malformed key is refused before anything is opened
    pools = await Pools.open(settings)
    objects = settings.objects()
    await require_objects(pools.bodies, objects)
    clock = DatabaseClock(pools.filing, settings.clock_offset_seconds)
    await clock.sync()
    parts = assemble(
        settings,
        pools.filing,
        body_store(pools.bodies, pools.filing, objects),
        clock,
        sessions=pools.sessions,
        session_bodies=body_store(pools.session_bodies, pools.sessions, objects),
    )
    await start(life, pools, clock, parts)
    http = HttpSide(web(settings, life, parts), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    await life.run_until_stopped(http.port, settings.drain_delay_seconds)
    await drain(life, http, parts)
    await pools.close()


def openapi() -> str:
    """Return the application's OpenAPI document, the content of `proto/mailstore/openapi.json`."""
    settings, absent = MailstoreSettings(proof_key=SecretStr("0" * SHORTEST_KEY)), cast(Any, None)
    parts = assemble(settings, absent, absent, SystemClock())
    return json.dumps(web(settings, Lifecycle(), parts).openapi(), indent=1, sort_keys=True)
