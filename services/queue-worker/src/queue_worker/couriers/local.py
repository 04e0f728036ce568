"""Filing in mailstore: one call takes a list of recipients; the answer to a repeated hand-over is `already`."""

from collections.abc import Sequence
from uuid import UUID

from mailkit.errors import concerns_all
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from mailkit.rpc.batch import send_apart
from mailstore_api.client import MailstoreClient
from mailstore_api.wire import Filing, FilingList
from queue_worker.models import LOOP, Claim, Outcome, Result

log = get_logger()

_NO_MAILBOX = "Sorry, no mailbox here by that name. vpopmail (#5.1.1)"  # S14
_OUTCOMES = {
    "filed": (Outcome.delivered, "2.0.0", "filed"),
    "already": (Outcome.delivered, "2.0.0", "filed"),
    "full": (Outcome.deferred, "4.2.2", "The mailbox is full. (#4.2.2)"),
    "gone": (Outcome.failed, "5.1.1", _NO_MAILBOX),
    "no_space": (Outcome.unfiled, "4.3.1", "The mail store has no room on its disk right now. (#4.3.1)"),
    "failed": (Outcome.unfiled, "4.3.0", "The mail store could not file the message right now. (#4.3.0)"),
}
_AWAY = (Outcome.unfiled, "4.3.0", "The mail store cannot be reached right now. (#4.3.0)")


class LocalCourier:
    """Hands recipients with a local mailbox to mailstore."""

    def __init__(self, mailstore: MailstoreClient) -> None:
        self._mailstore = mailstore
        self.away = 0
        """Consecutive lists that mailstore did not answer."""

    async def deliver(self, claims: Sequence[Claim], oldest: UUID | None) -> list[Result]:
        """File `claims` and return one result each. `oldest`: no older message is under way (decision 3)."""
        looped = [Result(claim, Outcome.failed, "5.4.6", LOOP) for claim in claims if claim.looped]
        rest = [claim for claim in claims if not claim.looped]
        return looped + (await self._file(rest, oldest) if rest else [])

    async def _file(self, claims: Sequence[Claim], oldest: UUID | None) -> list[Result]:
        async def hand_over(items: Sequence[Filing]) -> list[str]:
            return [answer.status for answer in await self._mailstore.file(FilingList(list(items), oldest), timeout=30)]

        items = [
            Filing(
                claim.message_id,
                _mailbox(claim),
                claim.body_id,
                prefix(claim),
                claim.first_seen.timestamp(),
                claim.quota_limit,
                claim.limit_version,
                exempt=claim.bounce,
                folder=claim.folder,
                flags=list(claim.flags),
                traceparent=claim.traceparent or "",
            )
            for claim in claims
        ]
        answers = await send_apart(hand_over, items)
        self._note(next((answer for answer in answers if isinstance(answer, Exception) and concerns_all(answer)), None))
        return [Result(claim, *_outcome(claim, answer)) for claim, answer in zip(claims, answers, strict=True)]

    def _note(self, error: Exception | None) -> None:
        """Count lists that mailstore did not answer; log the first one, and the end of them."""
        if error is not None:
            self.away += 1
            if self.away == 1:
                report(error, "file")
        elif self.away:
            self.away = 0
            log.info("service_back", work="file")


def _outcome(claim: Claim, answer: str | Exception) -> tuple[Outcome, str, str]:
    if isinstance(answer, str):
        return _OUTCOMES[answer]
    if concerns_all(answer):
        return _AWAY
    report(answer, "file", queue_id=claim.message_id)
    return _OUTCOMES["failed"]


def prefix(claim: Claim) -> bytes:
    """Return the recipient's lines above the body: Return-Path (RFC 5321 4.4), and Delivered-To, which detects loops."""
    return f"Return-Path: <{claim.mail_from}>\r\nDelivered-To: {claim.address}\r\n".encode("utf-8", "replace")


def _mailbox(claim: Claim) -> UUID:
    assert claim.mailbox_id is not None
    return claim.mailbox_id
