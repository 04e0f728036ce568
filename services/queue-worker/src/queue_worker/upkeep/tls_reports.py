"""Reports about TLS to domains that ask for them (RFC 8460; docs/decisions/0098)."""

from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from queue_worker.couriers import RemoteCourier
from queue_worker.reports.counts import Counts
from queue_worker.reports.mail import DayReport
from queue_worker.storage.tls_results import TlsResults, TlsSession
from queue_worker.tls.report import content, mail
from queue_worker.upkeep.daily_reports import DailyReports, ReportQueue


class TlsReports(DailyReports[TlsSession]):
    """Counts the sessions of `remote` and reports them."""

    kind = "tls"

    def __init__(
        self,
        remote: RemoteCourier,
        rows: TlsResults,
        queue: ReportQueue,
        clock: Clock,
        singleton: Singleton,
        submitter: str,
    ) -> None:
        super().__init__(rows, clock, singleton, submitter)
        self._remote = remote
        self._results = rows
        self._queue = queue

    @property
    def _counts(self) -> Counts[TlsSession]:
        return self._remote.policies.results

    @property
    def _on(self) -> bool:
        return self._remote.policies.report_to is not None

    async def _reported(self, report: DayReport) -> bool | None:
        to = self._remote.policies.report_to
        places = await to.places(report.domain) if to else []
        if to is None or not places:
            return False if places is None else None
        told = content(report, await self._results.of(report.day, report.domain))
        addresses = [place for place in places if not place.startswith("https:")]
        done = False
        for url in [place for place in places if place.startswith("https:")]:
            done = await to.post(url, told) or done
        if addresses:
            return await self._queue.send(report, mail(report, told, addresses), addresses, "optional") or done
        return done
