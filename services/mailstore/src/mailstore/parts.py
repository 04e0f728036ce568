"""Construction of the service from its settings, pools and a clock; nothing runs yet."""

from dataclasses import dataclass

import asyncpg

from bodystore import BodyStore
from mailkit.authority import Tokens
from mailkit.clock import Clock
from mailkit.disk import Disk
from mailkit.ids import new_id
from mailkit.lifecycle import Lifecycle
from mailkit.web import App, create_app
from mailstore.config import MailstoreSettings
from mailstore.feed import Feed
from mailstore.handlers import admin, endpoints
from mailstore.handlers.proven import Proven
from mailstore.handlers.turns import Turns
from mailstore.model.quota import Charge
from mailstore.reading.fetch import Reader
from mailstore.reading.folders import Folders
from mailstore.reading.octets import Octets
from mailstore.reading.retrieve import Retriever
from mailstore.reading.search import Searcher
from mailstore.reading.sections import Sections
from mailstore.reading.usage import Usage
from mailstore.upkeep.maintain import Maintenance
from mailstore.writing.append import Appender
from mailstore.writing.copy import Copier
from mailstore.writing.expunge import Expunger
from mailstore.writing.filing import Filer
from mailstore.writing.flags import FlagWriter
from mailstore.writing.folder_tree import FolderTree
from mailstore.writing.maildrop import Maildrops

SERVICE = "mailstore"


@dataclass(frozen=True)
class Parts:
    """The parts of one replica."""

    pool: asyncpg.Pool
    bodies: BodyStore
    clock: Clock
    filer: Filer
    feed: Feed
    maintenance: Maintenance
    charge: Charge
    operations: endpoints.Operations


def assemble(
    settings: MailstoreSettings, pool: asyncpg.Pool, bodies: BodyStore, clock: Clock, *, disk: Disk | None = None,
    sessions: asyncpg.Pool | None = None, session_bodies: BodyStore | None = None,
) -> Parts:  # fmt: skip
    """Construct one replica. `sessions` and `session_bodies` are for the front ends' commands, so that filing, the
    gateway's questions and maintenance have `pool` to themselves (decision 0034).
    """
    disk = disk or Disk(settings.disk_path, settings.disk_reserve_bytes)
    charge = Charge(settings.message_row_bytes, settings.mailbox_messages)
    filer = Filer(pool, bodies, clock, disk, charge)
    own, read = sessions or pool, session_bodies or bodies
    expunger = Expunger(own, read, clock)
    octets = Octets(settings.mailstore_read_bytes)
    feed = Feed(settings.dsn, clock)
    maintenance = Maintenance(pool, clock, new_id(), settings.queue_lifetime_seconds)
    operations = endpoints.Operations(
        pool, filer, Folders(own, clock), FolderTree(own, read, clock), FlagWriter(own, clock), expunger, Copier(own, clock, disk, charge),
        Appender(own, read, clock, disk, charge), Reader(own, Sections(read), octets), Retriever(own, read, octets), Searcher(own, read, octets),
        Maildrops(own, clock, expunger), feed, maintenance, Proven(settings.proofs, clock), Turns(), Usage(pool, charge),
    )  # fmt: skip
    return Parts(pool, bodies, clock, filer, feed, maintenance, charge, operations)


def web(settings: MailstoreSettings, life: Lifecycle, parts: Parts) -> App:
    """Create the HTTP application: endpoints and the operators' API."""
    tokens = Tokens(
        {
            "gateway": settings.token_gateway_mailstore, "queue": settings.token_queue_mailstore,
            "frontend": settings.token_frontend_mailstore, "admin": settings.admin_token,
        }
    )  # fmt: skip

    async def database() -> None:
        await parts.pool.fetchval("select 1")

    made = create_app(SERVICE, life, {"database": database}, tokens)
    endpoints.add(made, parts.operations, life, settings.max_message_bytes)
    made.include_router(admin.router(parts.pool, parts.bodies, parts.clock, parts.charge))
    return made
