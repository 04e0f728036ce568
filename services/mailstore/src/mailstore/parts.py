"""The parts of the service, constructed once per process; nothing runs."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from bodystore import BodyStore
from mailkit.ids import new_id
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore.config import MailstoreSettings
from mailstore.feed import Feed
from mailstore.handlers import endpoints
from mailstore.handlers.proven import Proven
from mailstore.handlers.turns import Turns
from mailstore.model.quota import Charge
from mailstore.reading.export import Exporter
from mailstore.reading.fetch import Fetcher
from mailstore.reading.first_fetch import FirstFetches
from mailstore.reading.folders import Folders
from mailstore.reading.metadata import MetadataReader
from mailstore.reading.octets import Octets
from mailstore.reading.order import Orders
from mailstore.reading.recoverable import RecoverableList
from mailstore.reading.retrieve import Retriever
from mailstore.reading.search import Searcher
from mailstore.reading.sections import Sections
from mailstore.reading.sort import Sorter
from mailstore.reading.text_index import TextIndex
from mailstore.reading.usage import Usage
from mailstore.storage.annotations import Annotations
from mailstore.storage.backfill import Backfill
from mailstore.storage.check import CheckRows
from mailstore.storage.exports import ExportRows
from mailstore.storage.fetch import FetchRows
from mailstore.storage.filing import Filings
from mailstore.storage.mailboxes import Mailboxes
from mailstore.storage.maildrop import LeaseRows
from mailstore.storage.messages import References
from mailstore.storage.notifications import Notifications
from mailstore.storage.operations import Operations
from mailstore.storage.purge import Purges
from mailstore.storage.recoverable import Recoverables
from mailstore.storage.retention import Retention
from mailstore.storage.search import SearchRows
from mailstore.storage.signatures import SignatureRows
from mailstore.storage.sort import SortRows
from mailstore.storage.trace import MailboxTraces
from mailstore.storage.views import FolderViews
from mailstore.upkeep.backfill import Filler
from mailstore.upkeep.check import Checker
from mailstore.upkeep.clear import Clearer
from mailstore.upkeep.forget import Forgetter
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
from mailstore.writing.undelete import Undeleter

SCHEMA = "mailstore"


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
    recoverable: RecoverableList
    undeleter: Undeleter
    checker: Checker
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
    kept = charge if settings.undelete_days else None
    sessions, session_bodies = sessions or pool, session_bodies or bodies
    octets = Octets(settings.mailstore_read_bytes)
    notifications = Notifications(settings.dsn)
    operations, rows = Operations(sessions, notifications), FetchRows(sessions)
    lease = Singleton(pool, clock, new_id(), SCHEMA, "maintain", period=PERIOD)
    usage = Usage(Mailboxes(pool), charge)
    warner = QuotaWarner(Operations(pool, notifications), bodies, clock, disk, charge, settings.helo_name)
    filer = Filer(Filings(pool, notifications), bodies, clock, disk, charge, warner)
    expunger = Expunger(operations, session_bodies, clock, kept)
    feed = Feed(notifications, clock)
    upkeep_expunger = Expunger(Operations(pool, notifications), bodies, clock, kept)
    retention = Retention(pool, lease, notifications)
    maintenance = Maintenance(
        retention,
        Filler(Backfill(pool), bodies),
        Forgetter(retention, bodies, clock, settings.undelete_days, charge),
        Clearer(retention, upkeep_expunger.remove, clock, settings.junk_days, settings.trash_days),
        lease,
        clock,
        settings.queue_lifetime_seconds,
        settings.history_days,
    )
    traces = MailboxTraces(pool)
    fetches = FirstFetches(traces, clock, timedelta(days=settings.history_days))
    index = TextIndex(SignatureRows(sessions), session_bodies, octets) if settings.text_index else None
    searcher = Searcher(SearchRows(sessions), session_bodies, octets, clock, index)
    tree = FolderTree(operations, clock, expunger)
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
        orders=Orders(SortRows(sessions), octets),
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
    recoverables = Recoverables(sessions)
    undeleter = Undeleter(operations, recoverables, session_bodies, clock, disk, charge, warner)
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
        RecoverableList(recoverables, session_bodies, octets, clock, settings.undelete_days),
        undeleter,
        Checker(CheckRows(pool, notifications), References(pool), bodies, clock),
        traces,
        fetches,
        index,
        steps,
    )
