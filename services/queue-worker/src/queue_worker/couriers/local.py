"""Filing in our own mailstore: a list of recipients goes over in one call; a repeated hand-over is `already` filed."""

from collections.abc import Sequence
from uuid import UUID

from mailkit.errors import BadRequest, PostriderError, TooLarge
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from mailstore_client.client import MailstoreClient
from mailstore_client.wire import Filing, FilingList
from queue_worker.models import Claim, End, Result

log = get_logger()

_NO_MAILBOX = "Sorry, no mailbox here by that name. vpopmail (#5.1.1)"  # S14
_LOOP = "This message is looping: it already has my Delivered-To line. (#5.4.6)"
_ENDS = {
    "filed": (End.delivered, "2.0.0", "filed"),
    "already": (End.delivered, "2.0.0", "filed"),
    "full": (End.deferred, "4.2.2", "The mailbox is full. (#4.2.2)"),
    "gone": (End.failed, "5.1.1", _NO_MAILBOX),
    "no_space": (End.waiting, "4.3.1", "The mail store has no room on its disk right now. (#4.3.1)"),
    "failed": (End.waiting, "4.3.0", "The mail store could not file the message right now. (#4.3.0)"),
}
_AWAY = (End.waiting, "4.3.0", "The mail store cannot be reached right now. (#4.3.0)")


class LocalCourier:
    """Hands recipients with a mailbox here to mailstore."""

    def __init__(self, mailstore: MailstoreClient) -> None:
        self._mailstore = mailstore
        self.away = 0
        """Lists in a row that mailstore did not answer."""

    async def deliver(self, claims: Sequence[Claim], oldest: UUID | None) -> list[Result]:
        """File `claims`; one result each. `oldest`: no older message is under way (decision 3)."""
        looped = [Result(claim, End.failed, "5.4.6", _LOOP) for claim in claims if claim.looped]
        rest = [claim for claim in claims if not claim.looped]
        return looped + (await self._file(rest, oldest) if rest else [])

    async def _file(self, claims: Sequence[Claim], oldest: UUID | None) -> list[Result]:
        items = [
            Filing(
                claim.message_id, _mailbox(claim), claim.body_id, prefix(claim), claim.first_seen.timestamp(),
                claim.quota_limit, claim.limit_version, exempt=claim.bounce,
            )
            for claim in claims
        ]  # fmt: skip
        try:
            answers = [answer.status for answer in await self._mailstore.file(FilingList(items, oldest), timeout=30)]
            ends = [_ENDS[status] for status in answers]
        except (BadRequest, TooLarge) as error:
            # one item is to blame: halves are tried until it stands alone
            log.error("batch_failed", work="file", size=len(claims), error=describe(error))
            if len(claims) == 1:
                return [Result(claims[0], *_ENDS["failed"])]
            middle = len(claims) // 2
            return await self._file(claims[:middle], oldest) + await self._file(claims[middle:], oldest)
        except PostriderError as error:
            self.away += 1
            if self.away == 1:
                log.warning("neighbour_away", work="file", error=describe(error))
            return [Result(claim, *_AWAY) for claim in claims]
        if self.away:
            self.away = 0
            log.info("neighbour_back", work="file")
        return [Result(claim, *end) for claim, end in zip(claims, ends, strict=True)]


def prefix(claim: Claim) -> bytes:
    """The recipient's own lines above the body (RFC 5321 4.4 Return-Path; Delivered-To finds loops)."""
    return f"Return-Path: <{claim.mail_from}>\r\nDelivered-To: {claim.address}\r\n".encode("utf-8", "replace")


def _mailbox(claim: Claim) -> UUID:
    assert claim.mailbox_id is not None
    return claim.mailbox_id
