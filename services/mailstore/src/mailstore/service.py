"""The service from its settings to its end: pools, parts, endpoints, background work, drain."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import asyncpg
from pydantic import SecretStr

from bodystore import BodyStore, body_store
from mailkit.ids import new_id
from mailkit.postgres import metrics as postgres_metrics
from mailkit.postgres.clock import DatabaseClock
from mailkit.postgres.pool import PLANNER, close, connect
from mailkit.postgres.revisions import require_current
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock, SystemClock
from mailkit.process.disk import Disk
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import App, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.proof import SHORTEST_KEY
from mailstore.config import MailstoreSettings
from mailstore.feed import Feed
from mailstore.handlers import admin, endpoints, trace
from mailstore.handlers.proven import Proven
from mailstore.handlers.turns import Turns
from mailstore.model.quota import Charge
from mailstore.reading.export import Exporter
from mailstore.reading.fetch import Fetcher
from mailstore.reading.first_fetch import STORE_SECONDS, FirstFetches
from mailstore.reading.folders import Folders
from mailstore.reading.metadata import MetadataReader
from mailstore.reading.octets import Octets
from mailstore.reading.retrieve import Retriever
from mailstore.reading.search import Searcher
from mailstore.reading.sections import Sections
from mailstore.reading.sort import Sorter
from mailstore.reading.text_index import TextIndex
from mailstore.reading.usage import Usage
from mailstore.storage.annotations import Annotations
from mailstore.storage.backfill import Backfill
from mailstore.storage.exports import ExportRows
from mailstore.storage.fetch import FetchRows
from mailstore.storage.filing import Filings
from mailstore.storage.mailboxes import Mailboxes
from mailstore.storage.maildrop import LeaseRows
from mailstore.storage.messages import References
from mailstore.storage.notifications import Notifications
from mailstore.storage.operations import Operations
from mailstore.storage.purge import Purges
from mailstore.storage.retention import Retention
from mailstore.storage.search import SearchRows
from mailstore.storage.signatures import SignatureRows
from mailstore.storage.sort import SortRows
from mailstore.storage.trace import MailboxTraces
from mailstore.storage.views import FolderViews
from mailstore.upkeep.backfill import Filler
from mailstore.upkeep.maintain import PERIOD, Maintenance
from mailstore.writing.append import Appender
from mailstore.writing.copy import Copier
from mailstore.writing.expunge import Expunger
from mailstore.writing.filing import Filer
from mailstore.writing.flags import FlagWriter
from mailstore.writing.folder_tree import FolderTree
from mailstore.writing.importing import Importer
from mailstore.writing.maildrop import Maildrops
from mailstore.writing.metadata import MetadataWriter
from mailstore.writing.purge import Purger
from mailstore.writing.quota_warning import QuotaWarner

SERVICE = SCHEMA = "mailstore"


@dataclass(frozen=True)
class Parts:
    """The objects that exist once per process."""

    notifications: Notifications
    pool: asyncpg.Pool
    bodies: BodyStore
    clock: Clock
    filer: Filer
    feed: Feed
    maintenance: Maintenance
    warner: QuotaWarner
    usage: Usage
    purger: Purger
    traces: MailboxTraces
    fetches: FirstFetches
    index: TextIndex | None
    steps: endpoints.Steps


def assemble(
    settings: MailstoreSettings,
    pool: asyncpg.Pool,
    bodies: BodyStore,
    clock: Clock,
    *,
    disk: Disk | None = None,
    sessions: asyncpg.Pool | None = None,
    session_bodies: BodyStore | None = None,
) -> Parts:
    """Construct the parts; nothing runs.

    `sessions` and `session_bodies` are for the front ends' commands, so that filing, the gateway's questions and
    maintenance have `pool` and `bodies` to themselves (decision 0034). Raises ConfigError for a malformed `proof_key`.
    """
    disk = disk or Disk(settings.disk_path, settings.disk_reserve_bytes)
    charge = Charge(settings.message_row_bytes, settings.mailbox_messages, settings.quota_warning_percent)
    sessions, session_bodies = sessions or pool, session_bodies or bodies
    octets = Octets(settings.mailstore_read_bytes)
    notifications = Notifications(settings.dsn)
    operations, rows = Operations(sessions, notifications), FetchRows(sessions)
    lease = Singleton(pool, clock, new_id(), SCHEMA, "maintain", period=PERIOD)
    usage = Usage(Mailboxes(pool), charge)
    warner = QuotaWarner(Operations(pool, notifications), bodies, clock, disk, charge, settings.helo_name)
    filer = Filer(Filings(pool, notifications), bodies, clock, disk, charge, warner)
    expunger = Expunger(operations, session_bodies, clock)
    feed = Feed(notifications, clock)
    maintenance = Maintenance(
        Retention(pool, lease),
        Filler(Backfill(pool), bodies),
        lease,
        clock,
        settings.queue_lifetime_seconds,
        settings.history_days,
    )
    traces = MailboxTraces(pool)
    fetches = FirstFetches(traces, clock, timedelta(days=settings.history_days))
    index = TextIndex(SignatureRows(sessions), session_bodies, octets) if settings.text_index else None
    searcher = Searcher(SearchRows(sessions), session_bodies, octets, clock, index)
    tree = FolderTree(operations, session_bodies, clock)
    steps = endpoints.Steps(
        references=References(pool),
        proven=Proven(settings.proofs, clock),
        turns=Turns(),
        usage=usage,
        session_usage=Usage(Mailboxes(sessions), charge),
        filer=filer,
        maintenance=maintenance,
        folders=Folders(Mailboxes(sessions), FolderViews(sessions), octets, clock),
        fetcher=Fetcher(rows, Sections(session_bodies), octets, fetches),
        retriever=Retriever(rows, session_bodies, octets, fetches),
        searcher=searcher,
        sorter=Sorter(SortRows(sessions), searcher),
        folder_tree=tree,
        metadata_reader=MetadataReader(Annotations(sessions), octets),
        metadata_writer=MetadataWriter(operations, clock),
        flags=FlagWriter(operations, clock),
        expunger=expunger,
        copier=Copier(operations, clock, disk, charge, warner),
        appender=Appender(operations, session_bodies, clock, disk, charge, warner, expunger),
        exporter=Exporter(FolderViews(sessions), ExportRows(sessions), session_bodies, octets),
        importer=Importer(operations, tree, session_bodies, clock, disk),
        maildrops=Maildrops(operations, LeaseRows(sessions), clock, expunger),
        feed=feed,
    )
    purger = Purger(Purges(pool, notifications), bodies, clock)
    return Parts(
        notifications,
        pool,
        bodies,
        clock,
        filer,
        feed,
        maintenance,
        warner,
        usage,
        purger,
        traces,
        fetches,
        index,
        steps,
    )


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
    clock = DatabaseClock(pools.filing, settings.clock_offset_seconds)
    await clock.sync()
    parts = assemble(
        settings,
        pools.filing,
        body_store(pools.bodies, pools.filing),
        clock,
        sessions=pools.sessions,
        session_bodies=body_store(pools.session_bodies, pools.sessions),
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
