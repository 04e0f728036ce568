"""The objects that exist once per worker, constructed from its settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from auth_api.client import AuthClient
from bodystore import BodyStore, Mover
from mailkit.net.dns import Resolver
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.disk import Disk
from mailstore_api.client import MailstoreClient
from queue_worker.config import QueueSettings
from queue_worker.couriers import RemoteCourier
from queue_worker.couriers.local import LocalCourier
from queue_worker.couriers.signatures import BounceSignatures
from queue_worker.delivery.filing import LocalDelivery
from queue_worker.delivery.leases import Leases
from queue_worker.delivery.loop import Delivery
from queue_worker.delivery.mx_operators import operators
from queue_worker.delivery.record import Recorder
from queue_worker.delivery.relays import Relays
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.suppression import Suppression
from queue_worker.dmarc.counts import DmarcCounts
from queue_worker.dmarc.report_to import DmarcReportTo
from queue_worker.intake.group_commit import Intake
from queue_worker.models import Pair
from queue_worker.operators.bulk import Bulk
from queue_worker.reports.leading import ReportAddresses
from queue_worker.storage.actions import Actions
from queue_worker.storage.claims import Claims
from queue_worker.storage.dmarc_results import DmarcResults
from queue_worker.storage.handovers import Handovers
from queue_worker.storage.outcomes import Outcomes
from queue_worker.storage.partitions import Partitions
from queue_worker.storage.records import Records
from queue_worker.storage.routes import Routes
from queue_worker.storage.suppressions import Suppressions
from queue_worker.storage.tls_results import TlsResults
from queue_worker.storage.upkeep import Upkeep
from queue_worker.upkeep.collect import Collector
from queue_worker.upkeep.daily_reports import REPORT_SECONDS, ReportQueue
from queue_worker.upkeep.dmarc_reports import DmarcReports
from queue_worker.upkeep.maintain import MAINTAIN_SECONDS, MEASURE_SECONDS, Maintenance
from queue_worker.upkeep.pack import PACK_SECONDS, Packing
from queue_worker.upkeep.sts_refresh import REFRESH_SECONDS as STS_SECONDS
from queue_worker.upkeep.sts_refresh import StsRefresh
from queue_worker.upkeep.tls_reports import TlsReports


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
    packing: Packing
    maintenance: Maintenance
    relays: Relays
    refresh: StsRefresh
    tls_reports: TlsReports
    dmarc_counts: DmarcCounts
    dmarc_reports: DmarcReports
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
    mover: Mover | None = None,
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
    dmarc_counts = DmarcCounts(clock if settings.dmarc_reports else None)
    report_to = DmarcReportTo(Resolver(settings.dns_servers)) if settings.dmarc_reports else None
    reports = ReportQueue(Handovers(pool, bodies), clock, timedelta(seconds=lifetime), ReportAddresses(auth))
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
        intake=Intake(Handovers(pool, bodies), clock, disk, dmarc_counts, lifetime_seconds=lifetime, wake=wake),
        collector=Collector(upkeep, bodies, mailstore, clock, once("collect", settings.body_collect_seconds)),
        packing=Packing(mover, clock, once("pack", PACK_SECONDS)),
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
            reports,
            clock,
            once("tls_reports", REPORT_SECONDS),
            settings.helo_name,
        ),
        dmarc_counts=dmarc_counts,
        dmarc_reports=DmarcReports(
            dmarc_counts,
            DmarcResults(pool, clock),
            report_to,
            reports,
            clock,
            once("dmarc_reports", REPORT_SECONDS),
            settings.helo_name,
        ),
        shaping=shaping,
        actions=actions,
        bulk=Bulk(Records(pool), actions, recorder, leases, clock, wake),
        wake=wake,
    )
