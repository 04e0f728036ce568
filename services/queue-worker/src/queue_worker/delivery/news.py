"""Log lines and metrics of recorded attempts."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from mailkit.process import spans
from mailkit.process.logs import get_logger
from queue_worker import metrics
from queue_worker.delivery.classes import class_of
from queue_worker.models import Decision, Outcome, QueueEntry

log = get_logger()


def log_and_count(decisions: Sequence[Decision], bounces: Sequence[QueueEntry], now: datetime) -> None:
    """Log and count each recorded attempt and each queued bounce."""
    ended: Counter[tuple[str, str]] = Counter()
    latency = {kind: metrics.LATENCY.labels(kind) for kind in metrics.KINDS}
    for decision in decisions:
        result, outcome = decision.result, decision.outcome
        claim = result.claim
        kind = "local" if claim.mailbox_id else "remote"
        ended[kind, outcome.value] += 1
        _record(decision, kind)
        if outcome is Outcome.delivered:
            latency[kind].observe((now - claim.first_seen).total_seconds())
            log.info("delivered", queue_id=claim.message_id, n=claim.n, kind=kind, host=result.remote_host)
        elif not decision.gives_up:
            if outcome is Outcome.in_doubt:
                metrics.IN_DOUBT.inc()
            log.info(outcome.value, queue_id=claim.message_id, n=claim.n, due=decision.due, text=result.text)
        else:
            metrics.UNDELIVERED.labels(class_of(result)).inc()
            log.info(outcome.value, queue_id=claim.message_id, n=claim.n, status=result.status, text=decision.text)
            if "@" not in claim.mail_from:  # a failed bounce, or no sender to notify: never bounced
                metrics.BOUNCE_FAILED.inc()
                log.warning("bounce_failed", queue_id=claim.message_id, n=claim.n, status=result.status)
    for labels, count in ended.items():
        metrics.ENDED.labels(*labels).inc(count)
    for made in bounces:
        metrics.BOUNCED.inc()
        log.info("bounced", queue_id=made.queue_id)


def _record(decision: Decision, kind: str) -> None:
    """Record the span of the attempt, from its claim to the commit of its result."""
    claim, result = decision.claim, decision.result
    if claim.traceparent:
        spans.record(
            "attempt",
            claim.traceparent,
            claim.claimed,
            queue_id=claim.message_id.hex,
            n=claim.n,
            kind=kind,
            outcome=decision.outcome.value,
            status=result.status,
            host=result.remote_host or "",
        )
