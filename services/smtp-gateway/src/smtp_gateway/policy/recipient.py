"""The check at RCPT: final targets, the client's right to send there, and free quota (S10, S14, L1-L3, P2)."""

from auth_api.wire import BARE_POSTMASTER, RecipientAnswer, RecipientQuestion, Target
from mailkit.mail.address import BadAddress, parse_address
from mailkit.mail.reply import Reply
from mailkit.rpc.batch import Batcher
from mailstore_api.wire import RoomQuestion
from smtp_gateway import replies
from smtp_gateway.policy.answer_cache import AnswerCache
from smtp_gateway.policy.consulted import Note, unrecorded

#: Most targets that are noted of a recipient.
MOST_NOTED = 20
_VERDICTS = {
    "no_mailbox": replies.NO_MAILBOX,
    "not_relayed": replies.NOT_RELAYED,
    "loop": replies.FORWARD_LOOP,
    "moving": replies.MOVING_LOOP,
    "too_many": replies.TOO_MANY_THIS_HOUR,
    "bad_address": replies.BAD_RECIPIENT,
}
_QUOTA = {"full": replies.MAILBOX_FULL, "never": replies.NEVER_FITS, "gone": replies.NO_MAILBOX}


class RecipientCheck:
    """Checks recipients against auth and mailstore, both asked in lists. `uncharged`: asks about senders; by default `ask` does."""

    def __init__(
        self,
        ask: Batcher[RecipientQuestion, RecipientAnswer],
        quota: Batcher[RoomQuestion, str],
        uncharged: Batcher[RecipientQuestion, RecipientAnswer] | None = None,
    ) -> None:
        self._quota = AnswerCache(
            quota, key=lambda question: (question.mailbox_id, question.size), keeps=lambda answer: answer == "room"
        )
        # a local answer does not depend on the client; a remote one does, and is charged: it is never cached
        self._ask = AnswerCache(ask, key=lambda question: question.address, keeps=_is_local)
        self._senders = AnswerCache(uncharged or ask, key=lambda question: question.address)

    async def check(
        self, question: RecipientQuestion, size: int, consulted: Note = unrecorded
    ) -> tuple[Reply | None, list[Target]]:
        """Return (refusal or None, final targets). `size`: as declared in MAIL, 0 if unknown. Raises Unavailable."""
        if question.address.lower() != BARE_POSTMASTER:
            try:
                parse_address(question.address)
            except BadAddress:
                return replies.BAD_RECIPIENT, []
        answer = await self._ask.ask(question)
        accepted = answer.verdict == "accepted"
        consulted(
            "S14" if answer.verdict == "no_mailbox" else "S10",
            not accepted,
            verdict=answer.verdict,
            account=answer.account,
            targets=[target.address for target in answer.targets[:MOST_NOTED]],
        )
        if not accepted:
            return replies.TOO_MANY_BY_PLAN if answer.over else _VERDICTS[answer.verdict], []
        # one full mailbox must not stop a forward to several: the quota is checked again at filing (P2, S8)
        if len(answer.targets) == 1 and (mailbox := answer.targets[0]).mailbox_id is not None:
            verdict = await self._quota.ask(
                RoomQuestion(mailbox.mailbox_id, max(size, 1), mailbox.quota_limit, mailbox.limit_version)
            )
            consulted("P2", verdict != "room", quota=mailbox.quota_limit, size=size, room=verdict)
            if verdict != "room":
                return _QUOTA[verdict], []
        return None, answer.targets

    async def targets(self, question: RecipientQuestion) -> list[Target]:
        """Return the final targets of a sender, whatever their quota: bounces are exempt. Raises Unavailable."""
        return (await self._senders.ask(question)).targets


def _is_local(answer: RecipientAnswer) -> bool:
    return answer.verdict == "accepted" and all(target.mailbox_id is not None for target in answer.targets)
