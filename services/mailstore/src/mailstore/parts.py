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
from mailstore.append import Appender
from mailstore.config import MailstoreSettings
from mailstore.copy import Copier
from mailstore.feed import Feed
from mailstore.fetch import Reader
from mailstore.filing import Filer
from mailstore.flags import FlagWriter
from mailstore.folder_tree import FolderTree
from mailstore.folders import Folders
from mailstore.handlers import admin, endpoints
from mailstore.maildrop import Maildrops
from mailstore.maintain import Maintenance
from mailstore.octets import Octets
from mailstore.proven import Proven
from mailstore.quota import Charge
from mailstore.search import Searcher
from mailstore.sections import Sections
from mailstore.turns import Turns

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
    flags = FlagWriter(own, read, clock)
    octets = Octets(settings.mailstore_read_bytes)
    sections = Sections(own, read, octets)
    feed = Feed(settings.dsn, clock)
    maintenance = Maintenance(pool, clock, new_id(), settings.queue_lifetime_seconds)
    operations = endpoints.Operations(
        pool, filer, Folders(own, clock), FolderTree(own, read, clock), flags, Copier(own, clock, disk, charge),
        Appender(own, read, clock, disk, charge), Reader(own, sections, octets), sections, Searcher(own, read, octets),
        Maildrops(own, clock, flags), feed, maintenance, Proven(settings.proofs, clock), Turns(), charge,
    )  # fmt: skip
    return Parts(pool, bodies, clock, filer, feed, maintenance, operations)


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
    made.include_router(admin.router(parts.pool, parts.bodies, parts.clock, parts.operations.charge))
    return made
