"""Reports to other domains about each day: counts are written each minute, reports sent when the day is over (docs/decisions/0092, 0098)."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import date, timedelta
from typing import Generic, Protocol, TypeVar

from mailkit.errors import PostriderError
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report as report_error
from queue_worker import metrics
from queue_worker.intake.enqueue import entry
from queue_worker.reports.counts import Counts
from queue_worker.reports.leading import ReportAddresses
from queue_worker.reports.mail import DayReport, ReportKind
from queue_worker.storage.handovers import Handovers
from queue_worker_api.wire import Submission, TlsRequest

log = get_logger()

T = TypeVar("T", bound=Hashable)

#: Seconds between two writes of counts, and between two rounds of reports.
WRITE_SECONDS, REPORT_SECONDS = 60.0, 300.0
#: Most reports of a round.
EACH = 50
#: How long a report is tried whose place does not answer.
PATIENCE = timedelta(days=2)
#: Before any day and domain.
FIRST = (date.min, "")


class DayRows(Protocol[T]):
    """What was counted, in the database."""

    async def add(self, counted: Counter[T]) -> None:
        """Add counts to those that are there."""

    async def finished(self, today: date, after: tuple[date, str], limit: int) -> Sequence[tuple[date, str]]:
        """Return days before `today` and domains that something was counted of, in this order, behind `after`."""

    async def remove(self, day: date, domain: str) -> None:
        """Forget a domain and day."""


class ReportQueue:
    """Queues reports as our own mail: from `<>`, signed as bounces are, never bounced. `lifetime`: how long it is tried."""

    def __init__(self, handovers: Handovers, clock: Clock, lifetime: timedelta, addresses: ReportAddresses) -> None:
        self._handovers = handovers
        self._addresses = addresses
        self._clock = clock
        self._lifetime = lifetime

    async def send(self, report: DayReport, mail: bytes, addresses: Sequence[str], tls: TlsRequest = "") -> bool | None:
        """Queue the mail of `report`; repeated, it is the same one. Return False to be called again later, None if it has nowhere to go."""
        try:
            recipients = await self._addresses.leading(addresses)
        except PostriderError as error:
            report_error(error, "lead_report")
            return False
        if not recipients:
            return None
        now = self._clock.now()
        body = b"Date: %b\r\n" % f"{now:%a, %d %b %Y %H:%M:%S +0000}".encode() + mail
        queued = entry(Submission(report.submission_id, "", recipients, body, tls=tls), own=True)
        await self._handovers.insert([queued], now, self._lifetime)
        return True


class DailyReports(ABC, Generic[T]):
    """Counts and reports of one kind."""

    kind: ReportKind

    def __init__(self, rows: DayRows[T], clock: Clock, singleton: Singleton, submitter: str) -> None:
        self._rows = rows
        self._clock = clock
        self._singleton = singleton
        self._submitter = submitter
        self._after = FIRST

    @property
    @abstractmethod
    def _counts(self) -> Counts[T]:
        """What this worker has counted."""

    @property
    @abstractmethod
    def _on(self) -> bool:
        """Whether reports are sent."""

    @abstractmethod
    async def _reported(self, report: DayReport) -> bool | None:
        """Send one report; return False if that has to be tried again later, None if the domain wants none."""

    async def write(self) -> None:
        """Write what this worker has counted."""
        taken = self._counts.take()
        if not taken:
            return
        try:
            await self._rows.add(taken)
        except BaseException:
            self._counts.give_back(taken)
            raise

    async def round(self) -> None:
        """Report days that are over, and forget them; with reports off, forget only. One replica does it for all."""
        with self._singleton.round():
            if not await self._singleton.mine():
                return
            today = self._clock.now().date()
            found = await self._rows.finished(today, self._after, EACH)
            self._after = found[-1] if len(found) == EACH else FIRST  # those that are tried later keep no others back
            for day, domain in found:
                if not await self._singleton.mine():
                    return
                if not self._on or await self._report(day, domain) or today - day > PATIENCE:
                    await self._rows.remove(day, domain)

    async def _report(self, day: date, domain: str) -> bool:
        """Report one domain and day; return whether nothing is left to be done."""
        done = await self._reported(DayReport(self.kind, domain, day, self._submitter))
        outcome = {True: "sent", False: "later", None: "none"}[done]
        metrics.REPORTS.labels(self.kind, outcome).inc()
        log.info("domain_report", kind=self.kind, domain=domain, day=str(day), outcome=outcome)
        return done is not False

    async def end(self) -> None:
        """Write what is left and release the lease at shutdown."""
        await self.write()
        await self._singleton.release()
