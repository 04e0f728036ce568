"""Suppression (docs/decisions/0086): mail to an address that bounced hard is returned without another attempt. Off by default."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from queue_worker.delivery.classes import is_hard
from queue_worker.models import NO_FLOW, SUPPRESSED, Claim, Decision, Outcome, Result
from queue_worker.storage.suppressions import Bounced, Suppressions


@dataclass(frozen=True, slots=True)
class Suppression:
    """The rule: after `after` hard bounces of an address, 0 for never; each bounce is remembered for `life`.

    It is kept for each flow (docs/decisions/0036) by itself: what one account's mail meets does not stop another's.
    """

    rows: Suppressions
    after: int
    life: timedelta

    async def refused(self, claims: Sequence[Claim], now: datetime) -> dict[Claim, Result]:
        """Return the results of those of `claims` that are not tried, because their address is suppressed."""
        if not self.after or not claims:
            return {}
        keys = [(claim.flow, claim.address.lower()) for claim in claims]
        found = await self.rows.of(keys, self.after, now)
        return {
            claim: Result(
                claim,
                Outcome.failed,
                "5.7.1",
                f"{SUPPRESSED} {row.bounces} times it was refused for good, last with: {row.reply}",
                reached=False,
            )
            for claim, key in zip(claims, keys, strict=True)
            if (row := found.get(key)) is not None
        }

    async def among(self, flow: UUID, addresses: Sequence[str], now: datetime) -> list[str]:
        """Return those of `addresses` to which mail of `flow` is not tried."""
        if not self.after:
            return []
        found = await self.rows.of([(flow, each.lower()) for each in addresses], self.after, now)
        return [each for each in addresses if (flow, each.lower()) in found]

    def bounced(self, done: Iterable[Decision]) -> list[Bounced]:
        """Return what is remembered of `done`, one row for each address of a flow, in one order: no deadlock."""
        if not self.after:
            return []
        hard = [d for d in done if d.outcome is Outcome.failed and is_hard(d.result) and d.claim.flow != NO_FLOW]
        counts = Counter((d.claim.flow, d.claim.address.lower()) for d in hard)
        last = {(d.claim.flow, d.claim.address.lower()): d.result for d in hard}
        return [
            Bounced(address, flow, counts[flow, address], result.status, " ".join((result.diagnostic or "").split()))
            for (flow, address), result in sorted(last.items(), key=lambda item: item[0])
        ]
