"""The service from its settings to its end: pools, endpoints, background work, drain."""

import asyncio
import json
from functools import partial
from typing import Any, cast

from pydantic import SecretStr

from auth.config import AuthSettings
from auth.handlers import (
    accounts,
    aliases,
    app_passwords,
    audit,
    customers,
    dkim,
    endpoints,
    moves,
    renames,
    tokens,
    trace,
    zones,
)
from auth.handlers.roles import CALLERS
from auth.login.noted import STORE_SECONDS
from auth.login.passwords import HashQueue, Passwords
from auth.maintenance import PERIOD
from auth.parts import Parts, assemble
from auth.rotation import PERIOD as ROTATION_PERIOD
from auth.storage.names import SCHEMA
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

SERVICE = "auth"
#: Seconds between two looks at the operator's file of networks.
FILE_SECONDS = 10.0


def web(settings: AuthSettings, life: Lifecycle, parts: Parts) -> App:
    """Return the HTTP application: health, list endpoints, the operators' API."""
    settled = Tokens(
        {
            "admin": settings.admin_token,
            "gateway": settings.token_gateway_auth,
            "frontend": settings.token_frontend_auth,
            "queue": settings.token_queue_auth,
        }
    )

    async def database() -> None:
        await parts.pool.fetchval("select 1", timeout=4)

    app = create_app(SERVICE, life, {"database": database}, settled)
    endpoints.add_endpoints(
        app,
        parts.senders,
        parts.recipients,
        parts.logins,
        parts.scram,
        parts.sessions,
        parts.authors,
        parts.signatures,
        parts.bounces,
    )
    routers = (
        accounts.router(parts.accounts),
        renames.router(parts.renames),
        aliases.router(parts.aliases),
        customers.router(parts.customers),
        trace.router(parts.events),
        dkim.router(parts.dkim),
        zones.router(parts.zones),
        moves.router(parts.moves),
        tokens.router(parts.tokens),
        audit.router(parts.audit),
        app_passwords.router(parts.app_passwords),
    )
    for router in routers:
        app.include_router(router, dependencies=CALLERS)
    app.authority.issued = parts.tokens.caller
    return app


def shares(connections: int) -> tuple[int, int]:
    """Split the connections: (for logins and operators, for the questions of the mail flow). Neither delays the other.

    The few statements of the mail flow are planned once (docs/decisions/0028).
    """
    questions = max(1, connections // 2)
    return max(1, connections - questions), questions


async def start(life: Lifecycle, parts: Parts, clock: DatabaseClock) -> None:
    """Start the background work."""
    life.every(60, clock.sync)
    life.every(PERIOD.total_seconds(), parts.maintenance.run)
    life.every(STORE_SECONDS, parts.noted.store)
    life.every(FILE_SECONDS, partial(asyncio.to_thread, parts.grants.file.reload))
    life.every(ROTATION_PERIOD.total_seconds(), parts.rotation.run)
    await postgres_metrics.report(life, parts.pool)


async def drain(life: Lifecycle, http: HttpSide, parts: Parts) -> None:
    """Answer what was asked, then end the background work."""
    await http.stop()
    await parts.noted.store()
    await life.cancel()
    await parts.maintenance.end()
    await parts.rotation.end()


async def serve(life: Lifecycle, settings: AuthSettings) -> None:
    """Run the service until the process is asked to stop."""
    _ = (
        settings.grants,
        settings.exempt,
        settings.proofs,
        settings.returns_domain,
        settings.issuer,
    )  # a malformed one is refused before anything is opened
    for_logins, for_questions = shares(settings.database_pool)
    pool = await connect(settings.dsn, SERVICE, for_logins)
    questions = await connect(settings.dsn, SERVICE, for_questions, PLANNER)
    queue = HashQueue(settings.hash_queue)
    try:
        await require_current(pool, "auth", SCHEMA, "auth")
        clock = DatabaseClock(pool, settings.clock_offset_seconds)
        await clock.sync()
        parts = assemble(settings, pool, questions, clock, await asyncio.to_thread(Passwords), queue)
        http = HttpSide(web(settings, life, parts), settings.http_host, settings.http_port, settings.metrics_port)
        await http.start()
        await start(life, parts, clock)
        await life.run_until_stopped(http.port, settings.drain_delay_seconds)
        await drain(life, http, parts)
    finally:
        queue.close()
        await close(pool, questions)


def openapi() -> str:
    """Return the application's OpenAPI document, the content of `proto/auth/openapi.json`."""
    settings, absent = AuthSettings(proof_key=SecretStr("0" * SHORTEST_KEY)), cast(Any, None)
    parts = assemble(settings, absent, absent, SystemClock(), Passwords(), HashQueue(1))
    return json.dumps(web(settings, Lifecycle(), parts).openapi(), indent=2, sort_keys=True) + "\n"
