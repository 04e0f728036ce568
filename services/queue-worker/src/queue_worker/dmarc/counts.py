"""Mail from outside, counted by day, policy domain, source and results (RFC 9990 3; docs/decisions/0092)."""

from collections.abc import Iterable

from mailauth.dns import ascii_domain
from mailauth.spf.check import client_address
from mailkit.process.clock import Clock
from queue_worker import metrics
from queue_worker.models import QueueEntry
from queue_worker.reports.counts import Counts
from queue_worker.storage.dmarc_results import DmarcFacts, DmarcRow, row
from queue_worker_api.wire import DmarcCount, Refusal

#: Most different rows that a worker holds between two writes to the database.
MOST_HELD = 5_000


class DmarcCounts(Counts[DmarcRow]):
    """The rows since they were last taken. Without a clock nothing is counted."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(MOST_HELD)
        self._clock = clock

    def accepted(self, entry: QueueEntry) -> None:
        """Count a message that was handed over."""
        if entry.stamp.counted:
            self._note(entry.stamp.counted, entry.client_address, (each.original for each in entry.recipients))

    def refused(self, refusal: Refusal) -> None:
        """Count a message that was refused for good, whyever: one that was put off comes again."""
        if refusal.counted and refusal.reply.startswith("5"):
            self._note(refusal.counted, refusal.client_address, refusal.recipients)

    def _note(self, counted: Iterable[DmarcCount], client: str | None, recipients: Iterable[str]) -> None:
        if self._clock is None or client is None:
            return
        try:
            source = str(client_address(client))
        except ValueError:
            return
        domains = {ascii_domain(address.rpartition("@")[2]) for address in recipients}
        envelope_to = (domains.pop() or "") if len(domains) == 1 else ""
        day = self._clock.now().date()
        for each in counted:
            if not self.add(row(day, each.domain, each.policy, DmarcFacts.of(each, source, envelope_to))):
                metrics.DMARC_LEFT_OUT.inc()
