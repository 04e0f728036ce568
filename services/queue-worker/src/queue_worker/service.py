"""The service from its settings to its end: pools, endpoints, background work, drain (decision 13)."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from auth_api.client import AuthClient
from bodystore import Mover, body_store, require_objects
from mailkit.ids import new_id
from mailkit.postgres import metrics as postgres_metrics
from mailkit.postgres.clock import DatabaseClock
from mailkit.postgres.pool import PLANNER, close, connect
from mailkit.postgres.revisions import require_current
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import App, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.http_server import HttpSide
from mailstore_api.client import MailstoreClient
from queue_worker.config import QueueSettings
from queue_worker.couriers.configured import courier
from queue_worker.delivery.leases import RENEW_SECONDS
from queue_worker.delivery.relays import REFRESH_SECONDS
from queue_worker.intake import refusals, submissions
from queue_worker.operators import endpoints, routes, simulate, suppressed, top, trace
from queue_worker.operators import refusals as refusal_records
from queue_worker.operators import shaping as shaping_records
from queue_worker.parts import Parts, assemble
from queue_worker.storage.records import Records
from queue_worker.storage.refusals import RefusalRows
from queue_worker.storage.routes import Routes
from queue_worker.storage.sts_policies import StsPolicies
from queue_worker.storage.trace import Traces
from queue_worker.upkeep.daily_reports import REPORT_SECONDS, WRITE_SECONDS
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS, MEASURE_SECONDS
from queue_worker.upkeep.pack import PACK_SECONDS
from queue_worker.upkeep.sts_refresh import REFRESH_SECONDS as STS_SECONDS

SERVICE = "queue-worker"
#: Settings of the sessions: what is due is read in the order of an index and no further than the limit, never collected
#: and sorted.
SESSION = {**PLANNER, "enable_bitmapscan": "off"}


def web(settings: QueueSettings, life: Lifecycle, parts: Parts) -> App:
    """Return the HTTP application: health, the hand-over endpoints, the operators' API."""
    tokens = Tokens({"gateway": settings.token_gateway_queue, "admin": settings.admin_token})

    async def database() -> None:
        await parts.pool.fetchval("select 1")

    app = create_app(SERVICE, life, {"database": database}, tokens)
    submissions.add(app, parts.intake, settings.max_message_bytes)
    refusals.add(app, RefusalRows(parts.pool), parts.dmarc_counts)
    records, traces = Records(parts.pool), Traces(parts.pool)
    app.include_router(trace.router(traces, parts.shaping, parts.clock))
    app.include_router(shaping_records.router(parts.shaping, parts.clock))
    app.include_router(top.router(records, parts.clock))
    app.include_router(refusal_records.router(RefusalRows(parts.pool)))
    lifetime, retry_first = settings.queue_lifetime_seconds, settings.retry_first_seconds
    app.include_router(routes.router(Routes(parts.pool), parts.clock))
    app.include_router(suppressed.router(parts.suppression, parts.clock))
    app.include_router(
        simulate.router(
            parts.remote,
            parts.actions,
            parts.suppression,
            parts.relays,
            parts.shaping,
            parts.clock,
            lifetime,
            retry_first,
        )
    )
    app.include_router(endpoints.router(records, traces, parts.actions, parts.bulk, parts.shaping, parts.clock))
    return app


async def start(
    life: Lifecycle, settings: QueueSettings, parts: Parts, clock: DatabaseClock
) -> list[asyncio.Task[None]]:
    """Start the background work; return the tasks of the two delivery loops."""
    if settings.single_machine:
        await parts.leases.take_over()
    life.every(60, clock.sync)
    await parts.relays.refresh()
    life.every(REFRESH_SECONDS, parts.relays.refresh)
    await postgres_metrics.report(life, parts.pool)
    life.every(RENEW_SECONDS, parts.leases.renew)
    life.every(settings.body_collect_seconds, parts.collector.collect)
    life.every(PACK_SECONDS, parts.packing.round)
    life.every(60, parts.maintenance.minute)
    life.every(MEASURE_SECONDS, parts.maintenance.measure)
    life.every(STS_SECONDS, parts.refresh.round)
    for reports in (parts.tls_reports, parts.dmarc_reports):
        life.every(WRITE_SECONDS, reports.write)
        life.every(REPORT_SECONDS, reports.round)
    life.every(MAINTAIN_SECONDS, parts.maintenance.hour)
    await parts.maintenance.hour()
    await parts.maintenance.minute()
    return [life.spawn(parts.filer.run()), life.spawn(parts.delivery.run())]


async def drain(
    life: Lifecycle, http: HttpSide, parts: Parts, loops: Sequence[asyncio.Task[None]], grace: float
) -> None:
    """Accept and claim nothing more, finish the work in hand within `grace` seconds, then end the background work."""
    parts.filer.stop()
    await asyncio.gather(http.stop(), parts.delivery.stop(grace), asyncio.wait(loops, timeout=grace))
    await parts.mailstore.aclose()
    await parts.auth.aclose()
    await life.cancel()
    await asyncio.gather(
        parts.maintenance.end(),
        parts.collector.end(),
        parts.packing.end(),
        parts.refresh.end(),
        parts.tls_reports.end(),
        parts.dmarc_reports.end(),
    )


async def serve(life: Lifecycle, settings: QueueSettings) -> None:
    """Run the service until the process is asked to stop."""
    dsn, bodies_dsn = settings.dsn, settings.bodies_dsn
    pool = await connect(dsn, SERVICE, settings.database_pool, SESSION)
    await require_current(pool, "queue_worker", "queue", "queue_worker")
    bodies_pool = pool if bodies_dsn == dsn else await connect(bodies_dsn, SERVICE, settings.database_pool, PLANNER)
    await require_current(bodies_pool, "bodystore", "bodies", "queue_worker")
    clock = DatabaseClock(pool, settings.clock_offset_seconds)
    await clock.sync()
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_queue_mailstore)
    auth = AuthClient(settings.auth_url, settings.token_queue_auth)
    objects = settings.objects()
    await require_objects(bodies_pool, objects)
    bodies = body_store(bodies_pool, pool, objects)
    age, keep = timedelta(hours=settings.objects_after_hours), timedelta(days=settings.objects_keep_days)
    mover = Mover(bodies_pool, objects, age=age, keep=keep) if objects is not None else None
    remote = courier(settings, StsPolicies(pool), clock)
    parts = assemble(settings, pool, bodies, clock, new_id(), mailstore, remote, auth, mover)
    loops = await start(life, settings, parts, clock)
    http = HttpSide(web(settings, life, parts), settings.http_host, settings.http_port, settings.metrics_port)
    await http.start()
    await life.run_until_stopped(http.port, settings.drain_delay_seconds)
    await drain(life, http, parts, loops, max(settings.grace_seconds - 4, 1))
    await close(pool, bodies_pool)


def openapi() -> str:
    """Return the OpenAPI document of the operators' API, the content of `proto/queue-worker/openapi.json`."""
    settings, absent = QueueSettings(), cast(Any, None)
    parts = assemble(settings, absent, absent, absent, new_id(), absent, absent, absent)
    return json.dumps(web(settings, Lifecycle(), parts).openapi(), indent=1, sort_keys=True)
