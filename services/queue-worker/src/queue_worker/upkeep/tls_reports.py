"""Reports about TLS to domains that ask for them: counts are written each minute, reports sent after each day (RFC 8460; docs/decisions/0098)."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from mailkit.ids import id_floor
from mailkit.postgres.singleton import Singleton
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from queue_worker.couriers import RemoteCourier
from queue_worker.intake.enqueue import entry
from queue_worker.models import QueueEntry
from queue_worker.storage.handovers import Handovers
from queue_worker.storage.tls_results import TlsResults
from queue_worker.tls.report import mail, report
from queue_worker.tls.report_to import ReportTo
from queue_worker_api.wire import Submission, SubmissionRecipient

log = get_logger()

#: Seconds between two writes of counts, and between two rounds of reports.
WRITE_SECONDS, REPORT_SECONDS = 60.0, 300.0
#: Most reports of a round.
EACH = 50
#: How long a report is tried whose place does not answer.
PATIENCE = timedelta(days=2)


class TlsReports:
    """Counts and reports. `lifetime`: how long the mail is tried."""

    def __init__(
        self,
        remote: RemoteCourier,
        rows: TlsResults,
        handovers: Handovers,
        clock: Clock,
        singleton: Singleton,
        submitter: str,
        lifetime: timedelta,
    ) -> None:
        self._remote = remote
        self._rows = rows
        self._handovers = handovers
        self._clock = clock
        self._singleton = singleton
        self._submitter = submitter
        self._lifetime = lifetime

    async def write(self) -> None:
        """Write what this worker has counted."""
        results = self._remote.policies.results
        taken = results.take()
        if not taken:
            return
        try:
            await self._rows.add(taken)
        except BaseException:
            results.give_back(taken)
            raise

    async def round(self) -> None:
        """Report days that are over, and forget them; with reports off, forget only. One replica does it for all."""
        to = self._remote.policies.report_to
        with self._singleton.round():
            if not await self._singleton.mine():
                return
            today = self._clock.now().date()
            for day, domain in await self._rows.finished(today, EACH):
                if not await self._singleton.mine():
                    return
                if to is None or await self._reported(day, domain, to) or today - day > PATIENCE:
                    await self._rows.remove(day, domain)

    async def _reported(self, day: date, domain: str, to: ReportTo) -> bool:
        """Report one domain and day; return whether nothing is left to be done."""
        places = await to.places(domain)
        if not places:
            return places is not None
        content = report(domain, day, await self._rows.of(day, domain), self._submitter)
        addresses = [place for place in places if not place.startswith("https:")]
        done = False
        for url in [place for place in places if place.startswith("https:")]:
            done = await to.post(url, content) or done
        if addresses:
            await self._handovers.insert(
                [self._entry(day, domain, content, addresses)], self._clock.now(), self._lifetime
            )
            done = True
        log.info("tls_report", domain=domain, day=str(day), outcome="sent" if done else "later")
        return done

    def _entry(self, day: date, domain: str, content: bytes, addresses: list[str]) -> QueueEntry:
        """Return the mail as a hand-over from `<>`, signed as bounces are; repeated, it is the same one."""
        body = mail(domain, day, content, self._submitter, addresses)
        body = b"Date: %b\r\n" % f"{self._clock.now():%a, %d %b %Y %H:%M:%S +0000}".encode() + body
        recipients = [SubmissionRecipient(address, address) for address in addresses]
        return entry(Submission(_id(day, domain), "", recipients, body, tls="optional"), own=True)

    async def end(self) -> None:
        """Write what is left and release the lease at shutdown."""
        await self.write()
        await self._singleton.release()


def _id(day: date, domain: str) -> UUID:
    """Return the hand-over id of a report: a time-ordered one of the end of the day, so that a repeated report is not queued twice."""
    end = datetime.combine(day, time(23, 59, 59), UTC).timestamp()
    tail = int.from_bytes(hashlib.sha256(f"{day} {domain}".encode()).digest()[:9], "big") & ((1 << 74) - 1)
    low = (0x7 << 76) | ((tail >> 62) << 64) | (0x2 << 62) | (tail & ((1 << 62) - 1))
    return UUID(int=id_floor(end).int | low)
