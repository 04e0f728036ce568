"""Assembly of the service from its settings, a database, a clock and the services it calls. Nothing is started here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from bodystore import BodyStore
from mailkit.authority import Tokens
from mailkit.clock import Clock
from mailkit.disk import Disk
from mailkit.lifecycle import Lifecycle
from mailkit.singleton import Singleton
from mailkit.web import App, create_app
from mailstore_client.client import MailstoreClient
from queue_worker.config import QueueSettings
from queue_worker.couriers import RemoteCourier
from queue_worker.couriers.local import LocalCourier
from queue_worker.delivery.filing import Filer
from queue_worker.delivery.leases import Leases
from queue_worker.delivery.loop import Delivery
from queue_worker.delivery.record import Recorder
from queue_worker.intake import submissions
from queue_worker.intake.group_commit import Intake
from queue_worker.models import NO_FLOW, Pair
from queue_worker.operators import endpoints
from queue_worker.upkeep.collect import Collector
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS, Maintenance


@dataclass(frozen=True)
class Parts:
    """The parts of one worker."""

    leases: Leases
    recorder: Recorder
    filer: Filer
    delivery: Delivery
    intake: Intake
    collector: Collector
    maintenance: Maintenance


def assemble(
    settings: QueueSettings, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, worker: UUID,
    mailstore: MailstoreClient, remote: RemoteCourier,
) -> Parts:  # fmt: skip
    """Assemble one worker."""

    def wake(pairs: Iterable[Pair]) -> None:
        found = set(pairs)
        if (NO_FLOW, "") in found:
            filer.wake()
        delivery.wake(pair for pair in found if pair[1])

    leases = Leases(pool, clock, worker)
    recorder = Recorder(
        pool, bodies, clock, worker, helo_name=settings.helo_name, lifetime=settings.queue_lifetime_seconds,
        retry_first=settings.retry_first_seconds, wake=wake,
    )  # fmt: skip
    filer = Filer(pool, clock, worker, leases, recorder, LocalCourier(mailstore))
    delivery = Delivery(
        pool, bodies, clock, worker, leases, recorder, remote, per_domain=settings.remote_concurrency,
    )  # fmt: skip
    disk = Disk(settings.disk_path, settings.disk_reserve_bytes)
    intake = Intake(pool, bodies, clock, disk, lifetime_seconds=settings.queue_lifetime_seconds, wake=wake)

    def once(work: str, seconds: float) -> Singleton:
        return Singleton(pool, clock, worker, "queue", work, period=timedelta(seconds=seconds))

    collector = Collector(pool, bodies, mailstore, clock, once("collect", settings.body_collect_seconds))
    keep = settings.queue_lifetime_seconds
    maintenance = Maintenance(
        pool, clock, filer, once("maintain", MAINTAIN_SECONDS), keep, lambda: delivery.walk.oldest_due
    )
    return Parts(leases, recorder, filer, delivery, intake, collector, maintenance)


def web(settings: QueueSettings, life: Lifecycle, pool: asyncpg.Pool, clock: Clock, parts: Parts) -> App:
    """Return the HTTP application: the hand-over endpoints and the operators' API."""
    tokens = Tokens({"gateway": settings.token_gateway_queue, "admin": settings.admin_token})

    async def database() -> None:
        await pool.fetchval("select 1")

    def wake(pairs: Iterable[Pair]) -> None:
        parts.filer.wake()
        parts.delivery.wake(pair for pair in pairs if pair[1])

    app = create_app("queue-worker", life, {"database": database}, tokens)
    submissions.add(app, lambda: parts.intake, settings.max_message_bytes)
    app.include_router(endpoints.router(pool, clock, wake))
    return app
