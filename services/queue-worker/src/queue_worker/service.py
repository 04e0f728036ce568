"""The service from its settings to its end: pools, parts, endpoints, background work, drain (decision 13)."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg

from auth_api.client import AuthClient
from bodystore import BodyStore, body_store
from mailkit.ids import new_id
from mailkit.postgres import metrics as postgres_metrics
from mailkit.postgres.clock import DatabaseClock
from mailkit.postgres.pool import PLANNER, close, connect
from mailkit.postgres.revisions import require_current
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import App, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.http_server import HttpSide
from mailstore_api.client import MailstoreClient
from queue_worker.config import QueueSettings
from queue_worker.couriers import RemoteCourier
from queue_worker.couriers.configured import courier
from queue_worker.couriers.local import LocalCourier
from queue_worker.couriers.signatures import BounceSignatures
from queue_worker.delivery.filing import LocalDelivery
from queue_worker.delivery.leases import RENEW_SECONDS, Leases
from queue_worker.delivery.loop import Delivery
from queue_worker.delivery.mx_operators import operators
from queue_worker.delivery.record import Recorder
from queue_worker.delivery.relays import REFRESH_SECONDS, Relays
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.suppression import Suppression
from queue_worker.intake import refusals, submissions
from queue_worker.intake.group_commit import Intake
from queue_worker.models import Pair
from queue_worker.operators import endpoints, routes, simulate, suppressed, top, trace
from queue_worker.operators import refusals as refusal_records
from queue_worker.operators import shaping as shaping_records
from queue_worker.operators.bulk import Bulk
from queue_worker.storage.actions import Actions
from queue_worker.storage.claims import Claims
from queue_worker.storage.handovers import Handovers
from queue_worker.storage.outcomes import Outcomes
from queue_worker.storage.partitions import Partitions
from queue_worker.storage.records import Records
from queue_worker.storage.refusals import RefusalRows
from queue_worker.storage.routes import Routes
from queue_worker.storage.sts_policies import StsPolicies
from queue_worker.storage.suppressions import Suppressions
from queue_worker.storage.tls_results import TlsResults
from queue_worker.storage.trace import Traces
from queue_worker.storage.upkeep import Upkeep
from queue_worker.upkeep.collect import Collector
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS, MEASURE_SECONDS, Maintenance
from queue_worker.upkeep.sts_refresh import REFRESH_SECONDS as STS_SECONDS
from queue_worker.upkeep.sts_refresh import StsRefresh
from queue_worker.upkeep.tls_reports import REPORT_SECONDS, WRITE_SECONDS, TlsReports

SERVICE = "queue-worker"
#: Settings of the sessions: what is due is read in the order of an index and no further than the limit, never collected
#: and sorted.
SESSION = {**PLANNER, "enable_bitmapscan": "off"}


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process."""

    pool: asyncpg.Pool
    clock: Clock
    mailstore: MailstoreClient
    remote: RemoteCourier
    auth: AuthClient
    leases: Leases
    recorder: Recorder
    suppression: Suppression
    filer: LocalDelivery
    delivery: Delivery
    intake: Intake
    collector: Collector
    maintenance: Maintenance
    relays: Relays
    refresh: StsRefresh
    tls_reports: TlsReports
    shaping: Shaping
    actions: Actions
    bulk: Bulk
    wake: Callable[[Iterable[Pair], datetime], None]
    """Wakes the loops that deliver what became due for these pairs at this time."""


def assemble(
    settings: QueueSettings,
    pool: asyncpg.Pool,
    bodies: BodyStore,
    clock: Clock,
    worker: UUID,
    mailstore: MailstoreClient,
    remote: RemoteCourier,
    auth: AuthClient,
) -> Parts:
    """Construct the parts of one worker; nothing runs."""

    def wake(pairs: Iterable[Pair], since: datetime) -> None:
        found = set(pairs)
        if any(not domain for _, domain in found):
            filer.wake()
        delivery.wake((pair for pair in found if pair[1]), since)

    def once(work: str, seconds: float) -> Singleton:
        return Singleton(pool, clock, worker, "queue", work, period=timedelta(seconds=seconds))

    lifetime = settings.queue_lifetime_seconds
    claims, upkeep, actions = Claims(pool, worker), Upkeep(pool), Actions(pool, worker)
    leases = Leases(claims, clock)
    suppressions = Suppressions(pool)
    relays = Relays(Routes(pool))
    shaping = Shaping(operators(settings.shaping))
    suppression = Suppression(suppressions, settings.suppress_after, timedelta(days=settings.suppress_days))
    recorder = Recorder(
        Outcomes(pool, bodies, worker),
        bodies,
        clock,
        suppression,
        helo_name=settings.helo_name,
        lifetime=lifetime,
        retry_first=settings.retry_first_seconds,
        delay_notice=settings.delay_notice_seconds,
        wake=wake,
    )
    filer = LocalDelivery(claims, clock, leases, recorder, LocalCourier(mailstore))
    delivery = Delivery(
        claims,
        bodies,
        clock,
        leases,
        recorder,
        remote,
        suppression,
        relays,
        BounceSignatures(auth, clock),
        shaping,
        filer.floor,
        per_domain=settings.remote_concurrency,
    )
    maintain = once("maintain", MAINTAIN_SECONDS)
    disk = Disk(settings.disk_path, settings.disk_reserve_bytes)
    return Parts(
        pool,
        clock,
        mailstore,
        remote,
        auth,
        leases,
        recorder,
        filer=filer,
        delivery=delivery,
        intake=Intake(Handovers(pool, bodies), clock, disk, lifetime_seconds=lifetime, wake=wake),
        collector=Collector(upkeep, bodies, mailstore, clock, once("collect", settings.body_collect_seconds)),
        maintenance=Maintenance(
            upkeep,
            Partitions(pool, maintain),
            clock,
            filer,
            delivery.walk,
            maintain,
            once("measure", MEASURE_SECONDS),
            lifetime,
            settings.history_days,
            suppressions,
        ),
        suppression=suppression,
        relays=relays,
        refresh=StsRefresh(remote, clock, once("sts", STS_SECONDS)),
        tls_reports=TlsReports(
            remote,
            TlsResults(pool),
            Handovers(pool, bodies),
            clock,
            once("tls_reports", REPORT_SECONDS),
            settings.helo_name,
            timedelta(seconds=lifetime),
        ),
        shaping=shaping,
        actions=actions,
        bulk=Bulk(Records(pool), actions, recorder, leases, clock, wake),
        wake=wake,
    )


def web(settings: QueueSettings, life: Lifecycle, parts: Parts) -> App:
    """Return the HTTP application: health, the hand-over endpoints, the operators' API."""
    tokens = Tokens({"gateway": settings.token_gateway_queue, "admin": settings.admin_token})

    async def database() -> None:
        await parts.pool.fetchval("select 1")

    app = create_app(SERVICE, life, {"database": database}, tokens)
    submissions.add(app, parts.intake, settings.max_message_bytes)
    refusals.add(app, RefusalRows(parts.pool))
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
            parts.remote, parts.actions, parts.suppression, parts.relays, parts.clock, lifetime, retry_first
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
    life.every(60, parts.maintenance.minute)
    life.every(MEASURE_SECONDS, parts.maintenance.measure)
    life.every(STS_SECONDS, parts.refresh.round)
    life.every(WRITE_SECONDS, parts.tls_reports.write)
    life.every(REPORT_SECONDS, parts.tls_reports.round)
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
    await asyncio.gather(parts.maintenance.end(), parts.collector.end(), parts.refresh.end(), parts.tls_reports.end())


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
    bodies = body_store(bodies_pool, pool)
    remote = courier(settings, StsPolicies(pool), clock)
    parts = assemble(settings, pool, bodies, clock, new_id(), mailstore, remote, auth)
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
