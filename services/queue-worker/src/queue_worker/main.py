"""Wiring: settings, pools, the door, the delivery loop, what runs now and then, and the end."""

import asyncio

import asyncpg
from fastapi import FastAPI

from bodystore import BodyStore
from mailkit.clock import DatabaseClock
from mailkit.db import connect
from mailkit.disk import Disk
from mailkit.ids import new_id
from mailkit.lifecycle import Lifecycle
from mailkit.logs import configure, get_logger
from mailkit.migrate import require_current, upgrade
from mailkit.web import HttpSide, Tokens, create_app
from mailstore_client.client import MailstoreClient
from queue_worker.collect import Collector
from queue_worker.config import QueueSettings
from queue_worker.couriers import CourierSettings, RemoteCourier
from queue_worker.couriers.local import LocalCourier
from queue_worker.delivery import Delivery
from queue_worker.handlers import admin, submissions
from queue_worker.intake import Intake
from queue_worker.leases import RENEW_SECONDS, Leases
from queue_worker.maintain import Maintenance
from queue_worker.record import Recorder
from queue_worker.singleton import Singleton

log = get_logger()

SERVICE = "queue-worker"


async def migrate(settings: QueueSettings) -> None:
    """Bring the schemas `bodies` and `queue` up to date."""
    dsn = settings.database_url.get_secret_value()
    await upgrade(settings.bodies_database_url.get_secret_value() or dsn, "bodystore", "bodies")
    await upgrade(dsn, "queue_worker", "queue")


async def serve(life: Lifecycle, settings: QueueSettings) -> None:
    """Run the service until it is told to stop."""
    configure(SERVICE, settings.log_level)
    dsn = settings.database_url.get_secret_value()
    bodies_dsn = settings.bodies_database_url.get_secret_value() or dsn
    pool = await connect(dsn, SERVICE, settings.database_pool)
    await require_current(pool, "queue_worker", "queue")
    bodies_pool = pool if bodies_dsn == dsn else await connect(bodies_dsn, SERVICE, settings.database_pool)
    bodies = BodyStore(bodies_pool, shared=bodies_pool is pool)
    clock = DatabaseClock(pool, settings.clock_offset_seconds)
    await clock.sync()
    life.every(60, clock.sync)
    worker = new_id()
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_queue_mailstore)
    remote = RemoteCourier(
        CourierSettings(
            helo_name=settings.helo_name, port=settings.remote_smtp_port, dns_servers=settings.dns_servers,
            allow_networks=settings.remote_allow_networks, own_names=frozenset(settings.own_names),
            own_listeners=frozenset({(settings.listen_host, settings.smtp_port)}),
        )
    )  # fmt: skip
    leases = Leases(pool, clock, worker)
    recorder = Recorder(
        pool, bodies, clock, worker, helo_name=settings.helo_name, lifetime=settings.queue_lifetime_seconds,
        retry_first=settings.retry_first_seconds,
    )  # fmt: skip
    delivery = Delivery(
        pool,
        bodies,
        clock,
        worker,
        leases,
        recorder,
        LocalCourier(mailstore),
        remote,
        per_domain=settings.remote_concurrency,
    )
    disk = Disk(settings.disk_path, settings.disk_reserve_bytes)
    intake = Intake(pool, bodies, clock, disk, lifetime_seconds=settings.queue_lifetime_seconds, wake=delivery.wake)
    collector = Collector(pool, bodies, mailstore, clock, Singleton(pool, clock, worker, "collect"))
    maintenance = Maintenance(
        pool, clock, delivery, Singleton(pool, clock, worker, "maintain"), settings.queue_lifetime_seconds
    )

    life.every(RENEW_SECONDS, leases.renew)
    life.every(settings.body_collect_seconds, collector.collect)
    life.every(60, maintenance.minute)
    life.every(5, maintenance.measure)
    life.every(3600, maintenance.hour)
    await maintenance.hour()
    loop = life.spawn(delivery.run())
    http = HttpSide(app(settings, life, pool, clock, delivery, intake), settings.http_host, settings.http_port)
    await http.start()
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    await delivery.stop(max(settings.grace_seconds - 3, 1))
    await asyncio.wait({loop}, timeout=2)
    await http.stop()
    await mailstore.aclose()
    await life.cancel()
    await asyncio.wait_for(pool.close(), 2)
    log.info("stopped")


def app(
    settings: QueueSettings,
    life: Lifecycle,
    pool: asyncpg.Pool,
    clock: DatabaseClock,
    delivery: Delivery,
    intake: Intake,
) -> FastAPI:
    """The HTTP side: the door and the operators' API."""
    tokens = Tokens({"gateway": settings.token_gateway_queue, "admin": settings.admin_token})

    async def database() -> None:
        await pool.fetchval("select 1")

    made = create_app(SERVICE, life, {"database": database})
    submissions.add(made, intake, tokens, settings.max_message_bytes)
    made.include_router(admin.router(pool, clock, delivery, tokens))
    return made
