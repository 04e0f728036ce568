"""The hook for an outside scanner: rspamd's HTTP /checkv2 at the final dot, within a deadline, failing open (docs/decisions/0091)."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import aiohttp
import msgspec

from mailkit.errors import ConfigError, Unavailable
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from queue_worker_api.wire import MailVerdict
from smtp_gateway import metrics
from smtp_gateway.incoming.examine import MessageEnvelope

log = get_logger()

Scan = Literal["clean", "junk", "reject", "failed"]

#: Connections to the scanner; messages beyond them wait, within their deadline.
MOST_CONNECTIONS = 50
#: Octets of an answer that are read; symbols, recipients and characters of a header that are told.
MOST_ANSWER, MOST_SYMBOLS, MOST_RECIPIENTS, MOST_HEADER = 256 * 1024, 20, 100, 500
#: Actions of rspamd (https://rspamd.com/doc/configuration/metrics.html) and what they mean here; others let the message pass.
_ACTIONS: dict[str, Scan] = {"add header": "junk", "rewrite subject": "junk", "reject": "reject"}


class ContentScanner:
    """Asks the scanner at `url` about each message, for at most `seconds`. Raises ConfigError if `url` is none."""

    def __init__(self, url: str, seconds: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError("POSTRIDER_SCANNER_URL begins with http:// or https://")
        self._url = url.rstrip("/") + "/checkv2"
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._away = False

    async def scan(
        self, envelope: MessageEnvelope, recipients: Sequence[str], message: bytes
    ) -> tuple[Scan, MailVerdict]:
        """Return what the scanner says of a message, and the verdict for its trace; `failed` if it says nothing in time."""
        try:
            answer = await self._ask(envelope, recipients, message)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.DecodeError) as error:
            self._failed(error)
            metrics.SCANNED.labels("failed").inc()
            return "failed", MailVerdict("rspamd", "failed", reason=f"{type(error).__name__}: {error}"[:MOST_HEADER])
        if self._away:
            self._away = False
            log.info("service_back", work="scan")
        found: Scan = _ACTIONS.get(str(answer.get("action")), "clean")
        metrics.SCANNED.labels(found).inc()
        return found, MailVerdict("rspamd", str(answer.get("action")), reason=_reason(answer))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, envelope: MessageEnvelope, recipients: Sequence[str], message: bytes) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS))
        headers = [("From", envelope.mail_from), ("Helo", envelope.helo), ("MTA-Name", envelope.receiver)]
        headers += [("IP", envelope.client)] if envelope.client else []
        headers += [("Rcpt", each) for each in recipients[:MOST_RECIPIENTS]]
        async with (
            asyncio.timeout(self._seconds),
            self._session.post(
                self._url, data=message, headers=list(_clean(headers)), allow_redirects=False
            ) as response,
        ):
            if response.status != 200:
                raise ValueError(f"the scanner answered {response.status}")
            raw = bytearray()
            async for piece in response.content.iter_chunked(64 * 1024):
                raw += piece
                if len(raw) > MOST_ANSWER:
                    raise ValueError("the scanner's answer is too long")
        return msgspec.json.decode(bytes(raw), type=dict[str, Any])

    def _failed(self, error: Exception) -> None:
        """Log the first of several failures."""
        if not self._away:
            report(Unavailable(f"{type(error).__name__}: {error}"), "scan")
        self._away = True


def _clean(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        yield name, "".join(each if each.isprintable() else "?" for each in value[:MOST_HEADER])


def _reason(answer: dict[str, Any]) -> str:
    """Return the score and the symbols of an answer, those with the greatest scores first."""
    symbols = answer.get("symbols")
    found = symbols if isinstance(symbols, dict) else {}
    scores = {name: _number(each.get("score")) for name, each in found.items() if isinstance(each, dict)}
    told = sorted((name for name in scores if scores[name]), key=lambda name: -abs(scores[name]))[:MOST_SYMBOLS]
    whole = f"score {_number(answer.get('score')):g} of {_number(answer.get('required_score')):g}"
    return f"{whole}: {', '.join(told)}" if told else whole


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
