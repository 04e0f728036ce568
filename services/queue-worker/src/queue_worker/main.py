"""Start and stop of the process: connect, deliver, serve, and shut down without losing anything (decision 13)."""

import asyncio

import asyncpg

from bodystore import BodyStore
from mailkit import postgres_metrics
from mailkit.address import BadAddress
from mailkit.clock import DatabaseClock
from mailkit.command import Owned
from mailkit.db import PLANNER, connect
from mailkit.errors import ConfigError
from mailkit.ids import new_id
from mailkit.lifecycle import Lifecycle
from mailkit.logs import configure, get_logger
from mailkit.revisions import require_current
from mailkit.web import HttpSide
from mailstore_client.client import MailstoreClient
from queue_worker.config import QueueSettings
from queue_worker.couriers import CourierSettings, RemoteCourier
from queue_worker.delivery.leases import RENEW_SECONDS
from queue_worker.parts import Parts, assemble, web
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS

log = get_logger()

SERVICE = "queue-worker"


def schemas(settings: QueueSettings) -> list[Owned]:
    """Return the schemas that this service migrates: `bodies`, then `queue`."""
    return [Owned(settings.bodies_dsn, "bodystore", "bodies"), Owned(settings.dsn, "queue_worker", "queue")]


async def serve(life: Lifecycle, settings: QueueSettings) -> None:
    """Run the service until it is asked to stop."""
    configure(SERVICE, settings.log_level)
    dsn, bodies_dsn = settings.dsn, settings.bodies_dsn
    pool = await connect(dsn, SERVICE, settings.database_pool, PLANNER)
    await require_current(pool, "queue_worker", "queue", "queue_worker")
    bodies_pool = pool if bodies_dsn == dsn else await connect(bodies_dsn, SERVICE, settings.database_pool, PLANNER)
    await require_current(bodies_pool, "bodystore", "bodies", "queue_worker")
    clock = DatabaseClock(pool, settings.clock_offset_seconds)
    await clock.sync()
    mailstore = MailstoreClient(settings.mailstore_url, settings.token_queue_mailstore)
    parts = assemble(
        settings, pool, BodyStore(bodies_pool, shared=bodies_pool is pool), clock, new_id(), mailstore, courier(settings),
    )  # fmt: skip

    if settings.single_machine:
        await parts.leases.take_over()
    life.every(60, clock.sync)
    await postgres_metrics.report(life, pool)
    life.every(RENEW_SECONDS, parts.leases.renew)
    life.every(settings.body_collect_seconds, parts.collector.collect)
    life.every(60, parts.maintenance.minute)
    life.every(10, parts.maintenance.measure)
    life.every(MAINTAIN_SECONDS, parts.maintenance.hour)
    await parts.maintenance.hour()
    await parts.maintenance.minute()
    loops = {life.spawn(parts.filer.run()), life.spawn(parts.delivery.run())}
    http = HttpSide(
        web(settings, life, pool, clock, parts), settings.http_host, settings.http_port, settings.metrics_port
    )
    await http.start()
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    await drain(http, parts, loops, max(settings.grace_seconds - 4, 1))
    await mailstore.aclose()
    await life.cancel()
    await asyncio.gather(parts.maintenance.end(), parts.collector.end())
    await _close(pool)
    if bodies_pool is not pool:
        await _close(bodies_pool)
    log.info("stopped")


def courier(settings: QueueSettings) -> RemoteCourier:
    """Return the courier for addresses of other providers. Raises ConfigError if a network setting is malformed."""
    try:
        return RemoteCourier(
            CourierSettings(
                helo_name=settings.helo_name, port=settings.remote_smtp_port, dns_servers=settings.dns_servers,
                allow_networks=settings.remote_allow_networks, deny_networks=settings.remote_deny_networks,
                own_names=frozenset(settings.own_names),
                own_listeners=frozenset({(settings.listen_host, settings.smtp_port)}),
            )
        )  # fmt: skip
    except BadAddress as error:
        raise ConfigError(f"POSTRIDER_REMOTE_ALLOW_NETWORKS or _DENY_NETWORKS: {error}") from error


async def drain(http: HttpSide, parts: Parts, loops: set[asyncio.Task[None]], grace: float) -> None:
    """Accept and claim nothing more, and finish the work in hand within `grace` seconds."""
    parts.filer.stop()
    await asyncio.gather(http.stop(), parts.delivery.stop(grace), asyncio.wait(loops, timeout=grace))


async def _close(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 1)
    except TimeoutError:
        pool.terminate()
