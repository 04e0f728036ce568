"""DMARC aggregate reports to domains that ask for them (RFC 9990; docs/decisions/0092)."""

import asyncio

from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from queue_worker.dmarc.counts import DmarcCounts
from queue_worker.dmarc.report import content, mail
from queue_worker.dmarc.report_to import DmarcReportTo
from queue_worker.reports.counts import Counts
from queue_worker.reports.mail import DayReport
from queue_worker.storage.dmarc_results import DmarcResults, DmarcRow
from queue_worker.upkeep.daily_reports import DailyReports, ReportQueue


class DmarcReports(DailyReports[DmarcRow]):
    """Reports what was counted; `to` None: nothing is."""

    kind = "dmarc"

    def __init__(
        self,
        counts: DmarcCounts,
        rows: DmarcResults,
        to: DmarcReportTo | None,
        queue: ReportQueue,
        clock: Clock,
        singleton: Singleton,
        submitter: str,
    ) -> None:
        super().__init__(rows, clock, singleton, submitter)
        self._held = counts
        self._results = rows
        self._to = to
        self._queue = queue

    @property
    def _counts(self) -> Counts[DmarcRow]:
        return self._held

    @property
    def _on(self) -> bool:
        return self._to is not None

    async def _reported(self, report: DayReport) -> bool | None:
        places = await self._to.places(report.domain) if self._to else []
        if not places:
            return False if places is None else None
        day = await self._results.of(report.day, report.domain)
        if day is None:
            return None
        told = await asyncio.to_thread(content, report, day)
        size = len(mail(report, told, [each.address for each in places]))
        addresses = [each.address for each in places if each.most is None or size <= each.most]
        if not addresses:
            return None
        return await self._queue.send(report, mail(report, told, addresses), addresses)
