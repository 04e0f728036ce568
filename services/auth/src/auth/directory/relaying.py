"""Who may relay, and how much: the right of a client, and its account's limits of recipients and messages (S10, decision 9)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from auth.addresses import parse_sender
from auth.grants import GrantPolicy
from auth.limits import PlanLimits, may_relay, rates_of
from auth.login.domains import KnownDomains
from auth.storage.directory import Directory, SenderRow
from auth.storage.rates import ListUse, RateRows
from auth_api.wire import RecipientQuestion
from auth_api.wire import RecipientVerdict as Verdict
from mailkit.mail.address import BadAddress, Networks, peer_address
from mailkit.process.clock import Clock

Over = Literal["", "plan"]
#: (verdict, account, whether its sender is of a local domain, which limit was reached)
Right = tuple[Verdict, UUID | None, bool, Over]


@dataclass(slots=True)
class _Left:
    """What an account may still have of a list: `recipients`, and `messages` if any; `by`: whose limit it is."""

    recipients: int
    messages: bool
    by: Over


class Relaying:
    """Gives the rights to relay of a list in one statement, and charges in one more for each kind of limit."""

    def __init__(
        self,
        directory: Directory,
        rates: RateRows,
        clock: Clock,
        policy: GrantPolicy,
        domains: KnownDomains,
        *,
        per_hour: int = 0,
        exempt: Networks | None = None,
    ) -> None:
        self._directory = directory
        self._rates = rates
        self._clock = clock
        self._policy = policy
        self._domains = domains
        self._per_hour = per_hour
        self._exempt = exempt or Networks()

    async def rights(self, items: Sequence[RecipientQuestion], weights: Sequence[int], charge: bool) -> list[Right]:
        """Return the rights of remote recipients.

        `not_relayed` (S10) without a right to relay; with one, each is charged to its account, up to the limits of the account.

        `weights`: the number of remote addresses that each of them leads to.
        """
        rows = []
        for item in items:
            sender = parse_sender(item.mail_from)
            rows.append(
                SenderRow(sender.key, sender.domain, self._policy.holder(item.client_address), item.login_mailbox)
            )
        now = self._clock.now()
        found = await self._directory.senders(rows, now)
        known = await self._domains.of({row["domain"] for row in found if row["mailbox_id"]})
        accounts: list[UUID | None] = [
            row["mailbox_id"] if row["mailbox_id"] and may_relay(row["how"], known[row["domain"]].limits) else None
            for row in found
        ]
        capped = [
            None if self._is_exempt(item.client_address) else account
            for item, account in zip(items, accounts, strict=True)
        ]
        limits = {row["mailbox_id"]: known[row["domain"]].limits for row in found if row["mailbox_id"]}
        left = await self._left(capped, items, weights, limits, now, charge)
        answers: list[Right] = []
        for row, item, account, capped_account, weight in zip(found, items, accounts, capped, weights, strict=True):
            room = left.get(capped_account) if capped_account else None
            if account is None:
                answers.append(("not_relayed", None, False, ""))
            elif room is None:
                answers.append(("accepted", account, row["local"], ""))
            elif item.first and not room.messages:
                answers.append(("too_many", account, row["local"], room.by))
            else:
                room.recipients -= weight
                fits = room.recipients >= 0
                answers.append(("accepted" if fits else "too_many", account, row["local"], "" if fits else room.by))
        return answers

    async def _left(
        self,
        accounts: Sequence[UUID | None],
        items: Sequence[RecipientQuestion],
        weights: Sequence[int],
        limits: Mapping[UUID, PlanLimits],
        now: datetime,
        charge: bool,
    ) -> dict[UUID, _Left]:
        """Charge the list to its accounts; return what each of them may have of it. An account without limits is left out."""
        counts: Counter[UUID] = Counter()
        uses: dict[UUID, ListUse] = {}
        for account, item, weight in zip(accounts, items, weights, strict=True):
            if account is None:
                continue
            rates = rates_of(limits[account], self._per_hour)
            if rates is not None:
                uses.setdefault(account, ListUse(rates)).add(weight, first=item.first)
            elif self._per_hour:
                counts[account] += weight
        rooms = await self.charge(counts, now, self._per_hour, charge)
        left = {account: _Left(room, True, "") for account, room in rooms.items()}
        if uses:
            for account, (messages, recipients) in (await self._rates.charge(uses, now, count=charge)).items():
                left[account] = _Left(recipients, messages >= uses[account].messages, "plan")
        return left

    async def charge(self, counts: Counter[UUID], now: datetime, per_hour: int, charge: bool) -> dict[UUID, int]:
        """Charge recipients; return how many of this list each account or domain may have, within its `per_hour`."""
        if not counts:
            return {}
        hour = now.replace(minute=0, second=0, microsecond=0)
        sums = await self._directory.charge(dict(sorted(counts.items())), hour, count=charge)
        return {account: per_hour - (sums[account] - count) for account, count in counts.items()}

    def _is_exempt(self, client: str | None) -> bool:
        if client is None or not self._exempt:
            return False
        try:
            return peer_address(client) in self._exempt
        except BadAddress:
            return False
