"""Answers to MAIL: badmailfrom (S12), local domains (S16 does not apply to them), and the right to relay (S2, S3)."""

from collections.abc import Sequence

from auth import metrics
from auth.addresses import Sender, parse_sender
from auth.grants import GrantPolicy
from auth.storage.directory import Directory, SenderRow
from auth_api.wire import RelayRight, SenderAnswer, SenderQuestion
from mailkit.process.clock import Clock


class Senders:
    """Answers lists of MAIL questions in one statement."""

    def __init__(self, directory: Directory, clock: Clock, policy: GrantPolicy, identity: str) -> None:
        self._directory = directory
        self._clock = clock
        self._policy = policy
        self._identity = identity

    async def answer(self, items: Sequence[SenderQuestion]) -> list[SenderAnswer]:
        """Return one answer per question, in order. Raises Unavailable."""
        senders = [parse_sender(item.mail_from) for item in items]
        rows = [
            SenderRow(sender.key, sender.domain, self._policy.holder(item.client_address), item.login_mailbox)
            for item, sender in zip(items, senders, strict=True)
        ]
        answers = []
        for sender, row in zip(senders, await self._directory.senders(rows, self._clock.now()), strict=True):
            granted = row["granted_at"].timestamp() if row["granted_at"] else 0.0
            right = RelayRight(row["how"], row["mailbox_id"], row["address"], granted) if row["how"] else None
            found = "badmailfrom" if row["bad"] else right.how if right else "no_right"
            metrics.SENDERS.labels(found).inc()
            answers.append(
                SenderAnswer(
                    badmailfrom=row["bad"] and sender.key != "",
                    domain_local=row["local"] and sender.exact,
                    relay=right,
                    identity_allowed=self._may_say(sender, right, row["domain"]),
                )
            )
        return answers

    def _may_say(self, sender: Sender, right: RelayRight | None, domain: str | None) -> bool:
        """Apply POSTRIDER_SENDER_IDENTITY to clients with a right to relay; they may always use the null sender (receipts)."""
        if right is None or self._identity == "any" or not sender.key:
            return True
        if self._identity == "domain":
            return sender.domain == domain
        return sender.key == right.address
