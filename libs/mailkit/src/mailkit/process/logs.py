"""JSON log lines with a fixed vocabulary: one queue id greps a message's whole journey across services."""

import hmac
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson

from mailkit.process.absent import absent

with absent("rich"):  # 8 MB, for coloured lines
    import structlog

#: The events of the mail log and their meaning: a line's `event` is one of these. docs/logs.md is this table.
EVENTS = {
    "ready": "the service answers",
    "draining": "the service was asked to stop: nothing new is taken, work under way is finished",
    "stopped": "the service ended",
    "login": "a password was right; also a login that came too soon (`outcome`)",
    "login_refused": "a password was wrong, or there were too many tries (`outcome`)",
    "grant_revoked": "an operator ended the right of an address to relay",
    "rejected": "what a client sent was refused (`command`, `rule`, `reply`; fields as of `accepted`), or what a front end asked for (`work`); nothing was queued by it",
    "rejected_more": "refusals of a flood that have no line of their own, counted by rule (`rules`)",
    "accepted": "250 was the answer to the final dot: the message is ours, under its `queue_id`. `by`: the right to relay, of `account`; `rule`: the contract's row; `verdicts`: of mail from outside, `folder`: where it is filed if not in INBOX",
    "source_address_absent": "mail with a route was deferred, as this machine does not have the source `address` (`error`); once a minute",
    "sender_not_own": "a client used a sender address that is not its own (`command`: MAIL, From), and `action`: log or enforce",
    "dkim_keys": "a DKIM key of `domain` was made, is in use from now on, or was removed (`action`)",
    "queued": "the message is on disk, before the 250",
    "delivered": "the other host, or mailstore, took the message for recipient `n`",
    "deferred": "an attempt for recipient `n` failed for now; the next one is `due`",
    "in_doubt": "the connection was lost behind the final dot: recipient `n` is tried again and may get two copies",
    "failed": "recipient `n` was refused for good",
    "expired": "recipient `n` was tried until the message's lifetime was over",
    "removed": "an operator removed recipient `n`; no notice is sent. A batch logs its first 100; `postrider trace` shows all",
    "suppression_removed": "an operator let mail to an address be tried again (`to`, `account`, `count`)",
    "queue_changed": "an operator changed the queue (`action`, `actor`, `filter`, `recipients`)",
    "bounced": "a notice to the sender was queued, under its own `queue_id`: of a failure, of a delay, or of a delivery as asked",
    "bounce_failed": "recipient `n` is given up and there is no sender to report to",
    "domain_report": "a daily report (`kind`: tls or dmarc) about `domain` on `day` was sent, is sent later, or the domain wants none (`outcome`)",
    "sts_policy": "the MTA-STS policy of `domain` could not be fetched (`outcome`, `error`)",
    "filed": "the message is in a mailbox",
    "collected": "bodies that no message refers to any more were deleted",
    "packed": "bodies were moved to the object store",
    "body_lost": "a message's body is not in the store: restore it from a backup",
    "maintenance": "a step of a service's regular upkeep",
    "clock_moved": "this machine's clock was set, or differs from the database's",
    "commits_not_durable": "the database is set up so that an acknowledged message may be lost",
    "certificate_loaded": "a TLS certificate is in use",
    "certificate_broken": "a TLS certificate cannot be read; the one before it stays in use",
    "old_tls_allowed": "a listener is set to take TLS versions that are broken",
    "old_tls_used": "a client spoke such a version",
    "service_away": "a service or the database is away or busy; it is tried again",
    "service_back": "it answers again",
    "request_refused": "another service said no (4xx), and will say so again: two versions, a token, or a rule",
    "work_failed": "a file, a full disk, or an error within another service; look at what is named",
    "bug": "a defect of ours, with its traceback: report it",
}

#: A word of a line; one with an @ in it may be a mail address.
_WORD = re.compile(r"[^\s<>,;:\"()]++")


def _render(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return orjson.dumps(event, default=str)


class Hidden:
    """Puts a keyed hash in the place of each mail address in a line, the same one for the same address."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: self._hide(value) for name, value in event.items()}

    def _hide(self, value: Any) -> Any:
        if isinstance(value, str):
            return _WORD.sub(self._hash, value) if "@" in value else value
        if isinstance(value, list | tuple):
            return [self._hide(each) for each in value]
        if isinstance(value, dict):
            return {name: self._hide(each) for name, each in value.items()}
        return value

    def _hash(self, found: re.Match[str]) -> str:
        if "@" not in found[0].strip("@"):
            return found[0]
        digest = hmac.digest(self._key, found[0].lower().encode("utf-8", "replace"), "sha256")
        return f"address-{digest.hex()[:16]}"


def configure(service: str, level: str = "info", address_key: str = "") -> None:
    """Set up the logging of the process: JSON lines on standard error, each with the service's name.

    `address_key`: if given, the key of the hashes that stand for mail addresses.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *([Hidden(address_key.encode())] if address_key else []),
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
    """Return the process's logger, to be called as `log.info("accepted", queue_id=…)` with an event of EVENTS."""
    return structlog.get_logger()
