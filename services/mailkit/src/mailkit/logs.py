"""JSON log lines with a fixed vocabulary: one queue id greps a message's whole journey across services."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

#: The events of the mail log. A line's `event` is one of these; docs/flow.md shows which service says which.
EVENTS = frozenset(
    [
        "starting",
        "ready",
        "draining",
        "stopped",
        "connected",
        "disconnected",
        "login",
        "login_refused",
        "grant",
        "grant_revoked",
        "accepted",
        "rejected",
        "queued",
        "attempt",
        "delivered",
        "deferred",
        "failed",
        "in_doubt",
        "expired",
        "bounced",
        "bounce_failed",
        "discarded",
        "filed",
        "refiled",
        "filing_deferred",
        "fetched",
        "deleted",
        "collected",
        "certificate_loaded",
        "certificate_broken",
        "old_tls_allowed",
        "old_tls_used",
        "neighbour_away",
        "request_refused",
        "work_failed",
        "neighbour_back",
        "body_lost",
        "maintenance",
        "clock_moved",
        "commits_not_durable",
        "bug",
    ]
)


def _render(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return orjson.dumps(event, default=str)


def configure(service: str, level: str = "info") -> None:
    """Set the process's logging up: JSON lines on standard error, the service's name on each."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"warning","event":"library","text":%(message)r}'
    )
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd writes several lines a command


def get_logger() -> Any:
    """The process's logger; call `log.info("accepted", queue_id=…)` with an event of EVENTS."""
    return structlog.get_logger()
