"""Answers to MAIL: badmailfrom (S12), local domains (S16 does not apply to them), and the right to relay (S2, S3)."""

from collections.abc import Sequence

from auth import metrics
from auth.addresses import Sender, parse_sender
from auth.directory.identity import Identities, Use
from auth.grants import GrantPolicy
from auth.storage.directory import Directory, SenderRow
from auth_api.wire import RelayRight, SenderAnswer, SenderQuestion
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock


class Senders:
    """Answers lists of MAIL questions in one statement, and one more if a domain has a rule on sender addresses."""

    def __init__(
        self, directory: Directory, clock: Clock, policy: GrantPolicy, identity: str, identities: Identities
    ) -> None:
        self._identities = identities
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
        found_rows = await self._directory.senders(rows, self._clock.now())
        ruled = [n for n, row in enumerate(found_rows) if row["how"] and _has_rule(row)]
        refused = await self._refused(items, [n for n in ruled if senders[n].key])
        answers = []
        for n, (sender, row) in enumerate(zip(senders, found_rows, strict=True)):
            granted = row["granted_at"].timestamp() if row["granted_at"] else 0.0
            right = RelayRight(row["how"], row["mailbox_id"], row["address"], granted) if row["how"] else None
            found = "badmailfrom" if row["bad"] else right.how if right else "no_right"
            if not items[n].simulated:
                metrics.SENDERS.labels(found).inc()
            answers.append(
                SenderAnswer(
                    badmailfrom=row["bad"] and sender.key != "",
                    domain_local=row["local"] and sender.exact,
                    relay=right,
                    identity_allowed=n not in refused and self._may_say(sender, right, row["domain"]),
                    from_rule="some" if n in ruled else "none" if right else "",
                )
            )
        return answers

    async def _refused(self, items: Sequence[SenderQuestion], ruled: Sequence[int]) -> set[int]:
        """Return which of the questions `ruled` are refused by a domain's rule."""
        if not ruled:
            return set()
        asked = [items[n] for n in ruled]
        uses = [Use([q.mail_from], q.client_address, q.login_mailbox, simulated=q.simulated) for q in asked]
        judged = await self._identities.judge(uses, "MAIL")
        return {n for n, each in zip(ruled, judged, strict=True) if each.refused}

    def _may_say(self, sender: Sender, right: RelayRight | None, domain: str | None) -> bool:
        """Apply POSTRIDER_SENDER_IDENTITY to clients with a right to relay; they may always use the null sender (receipts)."""
        if right is None or self._identity == "any" or not sender.key:
            return True
        if self._identity == "domain":
            return sender.domain == domain
        return sender.key == right.address


def _has_rule(row: Row) -> bool:
    return row["named_rule"] in ("log", "enforce") or row["own_rule"] in ("log", "enforce")
