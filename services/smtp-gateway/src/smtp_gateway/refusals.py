"""What was refused, sent to the queue for the trace in lists, beside the mail (docs/decisions/0069)."""

import time
from collections import Counter, deque

from mailkit.errors import PostriderError, Unanswered, Unavailable
from mailkit.ids import id_time, new_id
from mailkit.process.report import report
from queue_worker_api.client import QueueClient
from queue_worker_api.wire import MOST_REFUSALS, Refusal
from smtp_gateway import metrics

#: Most refusals that wait to be sent; above it they are counted by rule. queue-worker may be away for as long as this holds out.
MOST_WAITING = 5000
#: Seconds between two lists: as much as a gateway loses that is killed.
SEND_SECONDS = 0.5
#: Deadline of a list, in seconds.
_PATIENCE = 5.0


class RefusalTrace:
    """Refusals that wait to be sent. `queue`: a client of its own, so that hand-overs never wait for it; None: nothing is sent."""

    def __init__(self, queue: QueueClient | None = None) -> None:
        self._queue = queue
        self._waiting: deque[Refusal] = deque()
        self._more: Counter[str] = Counter()
        self._away = False

    def add(self, refusal: Refusal) -> None:
        """Record `refusal` with the next list; only count it if too many wait."""
        if self._queue is None:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(refusal)
        else:
            self.count(refusal.rule)

    def count(self, rule: str, times: int = 1) -> None:
        """Record `times` refusals by `rule` without saying whose, at the next `sum_up`."""
        if self._queue is not None:
            self._more[rule] += times
            metrics.UNTRACED.inc(times)

    def sum_up(self) -> None:
        """Record the counts, one refusal for each rule."""
        counts, self._more = self._more, Counter()
        self._waiting.extend(Refusal(new_id(), rule, times=times) for rule, times in counts.items())

    async def send(self) -> None:
        """Send what waits, a list at a time, and keep it if the queue does not take it."""
        while self._queue is not None and self._waiting:
            items = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_REFUSALS))]
            try:
                await self._queue.record_refusals(items, timeout=_PATIENCE)
            except (Unavailable, Unanswered) as error:
                if not self._away:
                    report(error, "refusals")
                self._away = True
                self._waiting.extendleft(reversed(items))
                break
            except PostriderError as error:
                report(error, "refusals")
                for item in items:
                    self.count(item.rule, item.times)
            else:
                self._away = False
        metrics.TRACE_LAG.set(max(time.time() - id_time(self._waiting[0].id), 0.0) if self._waiting else 0.0)
