"""Wiring: settings, pools, rooms, doors, the feed, and the end."""

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
from mailstore.changing import Changer
from mailstore.config import MailstoreSettings
from mailstore.feed import Feed
from mailstore.filing import Filer
from mailstore.folders import Folders
from mailstore.handlers import admin, doors
from mailstore.maildrop import Maildrops
from mailstore.maintain import Maintenance
from mailstore.reading import Reader
from mailstore.searching import Searcher

log = get_logger()

SERVICE = "mailstore"


async def migrate(settings: MailstoreSettings) -> None:
    """Bring the schemas `bodies` and `mailstore` up to date."""
    dsn = settings.database_url.get_secret_value()
    await upgrade(settings.bodies_database_url.get_secret_value() or dsn, "bodystore", "bodies")
    await upgrade(dsn, "mailstore", "mailstore")


async def serve(life: Lifecycle, settings: MailstoreSettings) -> None:
    """Run the service until it is told to stop."""
    configure(SERVICE, settings.log_level)
    dsn = settings.database_url.get_secret_value()
    bodies_dsn = settings.bodies_database_url.get_secret_value() or dsn
    pool = await connect(dsn, SERVICE, settings.database_pool)
    await require_current(pool, "mailstore", "mailstore")
    bodies_pool = pool if bodies_dsn == dsn else await connect(bodies_dsn, SERVICE, settings.database_pool)
    bodies = BodyStore(bodies_pool, shared=bodies_pool is pool)
    clock = DatabaseClock(pool, settings.clock_offset_seconds)
    await clock.sync()
    life.every(60, clock.sync)
    disk = Disk(settings.disk_path, settings.disk_reserve_bytes)
    changer = Changer(pool, bodies, clock, disk)
    maintenance = Maintenance(pool, clock, new_id(), settings.queue_lifetime_seconds)
    feed = Feed(dsn)
    rooms = doors.Rooms(
        pool, Filer(pool, bodies, clock, disk), Folders(pool, bodies, clock), changer, Reader(pool, bodies),
        Searcher(pool, bodies), Maildrops(pool, clock, changer), feed, maintenance,
    )  # fmt: skip
    life.spawn(feed.run())
    life.every(300, maintenance.round)
    http = HttpSide(app(settings, life, rooms, bodies, clock), settings.http_host, settings.http_port)
    await http.start()
    life.ready = True
    log.info("ready", port=http.port)

    await life.stopping.wait()
    log.info("draining")
    await asyncio.sleep(settings.drain_delay_seconds)
    await http.stop()
    await life.cancel()
    await asyncio.wait_for(pool.close(), 2)
    log.info("stopped")


def app(
    settings: MailstoreSettings, life: Lifecycle, rooms: doors.Rooms, bodies: BodyStore, clock: DatabaseClock
) -> FastAPI:
    """The HTTP side: doors and the operators' API."""
    tokens = Tokens(
        {
            "gateway": settings.token_gateway_mailstore, "queue": settings.token_queue_mailstore,
            "frontend": settings.token_frontend_mailstore, "admin": settings.admin_token,
        }
    )  # fmt: skip
    pool: asyncpg.Pool = rooms.pool

    async def database() -> None:
        await pool.fetchval("select 1")

    made = create_app(SERVICE, life, {"database": database})
    doors.add(made, rooms, tokens, life, settings.max_message_bytes)
    made.include_router(admin.router(pool, bodies, clock, tokens))
    return made
