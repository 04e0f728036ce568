"""Filing in our own mailstore: a list of recipients goes over in one call; a repeated hand-over is `already` filed."""

from collections.abc import Sequence
from uuid import UUID

from mailkit.errors import PostriderError
from mailstore_client.client import MailstoreClient
from mailstore_client.wire import Filing, FilingList
from queue_worker.models import Claim, End, Result

_NO_MAILBOX = "Sorry, no mailbox here by that name. vpopmail (#5.1.1)"  # S14
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

    async def deliver(self, claims: Sequence[Claim], oldest: UUID | None) -> list[Result]:
        """File `claims`; one result each. `oldest`: no older message is under way (decision 3)."""
        items = [
            Filing(
                claim.message_id, _mailbox(claim), claim.body_id, prefix(claim), claim.first_seen.timestamp(),
                claim.quota_limit, claim.limit_version, exempt=not claim.mail_from,
            )
            for claim in claims
        ]  # fmt: skip
        try:
            answers = [answer.status for answer in await self._mailstore.file(FilingList(items, oldest), timeout=30)]
        except PostriderError:
            return [Result(claim, *_AWAY) for claim in claims]
        return [Result(claim, *_ENDS[status]) for claim, status in zip(claims, answers, strict=True)]


def prefix(claim: Claim) -> bytes:
    """The recipient's own lines above the body (RFC 5321 4.4 Return-Path; Delivered-To finds loops)."""
    return f"Return-Path: <{claim.mail_from}>\r\nDelivered-To: {claim.address}\r\n".encode()


def _mailbox(claim: Claim) -> UUID:
    assert claim.mailbox_id is not None
    return claim.mailbox_id
