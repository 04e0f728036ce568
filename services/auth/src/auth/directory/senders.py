"""Answers to MAIL: badmailfrom (S12), local domains (S16 does not apply to them), and the right to relay (S2, S3)."""

from collections.abc import Mapping, Sequence
from typing import Literal

from auth import metrics
from auth.addresses import Sender, parse_sender
from auth.directory.identity import Identities, Use
from auth.directory.returns import Returns
from auth.grants import GrantPolicy
from auth.limits import may_grant
from auth.login.domains import KnownDomain, KnownDomains
from auth.storage.directory import Directory, SenderRow
from auth_api.wire import RelayRight, SenderAnswer, SenderQuestion
from mailkit.postgres.rows import Row
from mailkit.process.clock import Clock

#: How often grants are looked for if those that were found have to be deleted.
_TRIES = 4


class Senders:
    """Answers lists of MAIL questions in one statement, and one more if a domain has a rule on sender addresses."""

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        policy: GrantPolicy,
        identity: str,
        identities: Identities,
        domains: KnownDomains,
        returns: Returns,
    ) -> None:
        self._domains = domains
        self._returns = returns
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
        found_rows, known = await self._allowed(rows)
        how = [_right(row, known) for row in found_rows]
        ruled = [n for n, row in enumerate(found_rows) if how[n] and _has_rule(row)]
        refused = await self._refused(items, [n for n in ruled if senders[n].key])
        answers = []
        for n, (sender, row) in enumerate(zip(senders, found_rows, strict=True)):
            granted = row["granted_at"].timestamp() if row["granted_at"] else 0.0
            right = RelayRight(by, row["mailbox_id"], row["address"], granted) if (by := how[n]) else None
            found = "badmailfrom" if row["bad"] else right.how if right else "no_right"
            if not items[n].simulated:
                metrics.SENDERS.labels(found).inc()
            answers.append(
                SenderAnswer(
                    badmailfrom=row["bad"] and sender.key != "",
                    domain_local=(row["local"] or self._returns.concerns(sender)) and sender.exact,
                    relay=right,
                    identity_allowed=n not in refused and self._may_say(sender, right, row["domain"]),
                    from_rule="some" if n in ruled else "none" if right else "",
                )
            )
        return answers

    async def _allowed(self, rows: Sequence[SenderRow]) -> tuple[list[Row], Mapping[str, KnownDomain]]:
        """Return what is found for each row, and the domains of the accounts in it.

        Grants that a plan has ended since are deleted, and what they hid is looked for.
        """
        for _ in range(_TRIES):
            found = await self._directory.senders(rows, self._clock.now())
            known = await self._domains.of({row["domain"] for row in found if row["how"]})
            ended = {
                (str(asked.client), row["domain"])
                for asked, row in zip(rows, found, strict=True)
                if row["how"] == "grant" and not may_grant(known[row["domain"]].limits)
            }
            if not ended:
                break
            await self._directory.drop_grants(sorted(ended))
        return found, known

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


def _right(row: Row, known: Mapping[str, KnownDomain]) -> Literal["auth", "grant"] | None:
    """Return how a client may relay; None if the plan ended that since."""
    how: Literal["auth", "grant"] | None = row["how"]
    if how is None:
        return None
    limits = known[row["domain"]].limits
    return how if (limits.smtp_auth if how == "auth" else may_grant(limits)) else None


def _has_rule(row: Row) -> bool:
    return row["named_rule"] in ("log", "enforce") or row["own_rule"] in ("log", "enforce")
