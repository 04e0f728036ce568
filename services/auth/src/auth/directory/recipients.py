"""Answers to RCPT: the final targets of local recipients, and the right to relay to remote ones (S10, S14, L1-L3)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import NAMESPACE_DNS, UUID, uuid5

from auth import metrics
from auth.addresses import RecipientAddress, parse_recipient, parse_sender
from auth.directory.expand import Expansion, Loop
from auth.grants import GrantPolicy
from auth.storage.directory import Directory, SenderRow
from auth_api.wire import BARE_POSTMASTER, RecipientAnswer, RecipientQuestion, Target
from auth_api.wire import RecipientVerdict as Verdict
from mailkit.mail.address import BadAddress, Networks, peer_address
from mailkit.process.clock import Clock


class Recipients:
    """Answers lists of RCPT questions: one statement per level of forwards, and at most four more."""

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        policy: GrantPolicy,
        *,
        primary_domain: str = "",
        per_hour: int = 0,
        forwarded_per_hour: int = 0,
        exempt: Networks | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._policy = policy
        self._primary = primary_domain
        self._per_hour = per_hour
        self._forwarded_per_hour = forwarded_per_hour
        self._exempt = exempt or Networks()

    async def answer(self, items: Sequence[RecipientQuestion], *, charge: bool = True) -> list[RecipientAnswer]:
        """Return one answer per question, in order. `charge` False: look at the hours, and count nothing. Raises Unavailable."""
        postmaster = await self._postmaster() if any(_is_bare(item.address) for item in items) else None
        parsed = [postmaster if _is_bare(item.address) else _parse(item.address) for item in items]
        expansion = Expansion()
        await expansion.load([recipient for recipient in parsed if recipient], self._directory.lookup)
        answers: list[RecipientAnswer | None] = [_local_answer(recipient, expansion) for recipient in parsed]
        leaving = [n for n, answer in enumerate(answers) if answer is None or _remote(answer)]
        unpaid: dict[int, tuple[UUID, int]] = {}
        if leaving:
            weights = [_remote(answers[n]) or 1 for n in leaving]
            relayed = await self._relay([items[n] for n in leaving], weights, charge)
            for n, (verdict, account) in zip(leaving, relayed, strict=True):
                recipient, local = parsed[n], answers[n]
                assert recipient is not None
                if local is not None and verdict == "not_relayed":  # a forward needs no right: its domain is charged
                    unpaid[n] = (domain_key(recipient.domain), _remote(local))
                    continue
                found = local.targets if local is not None else [Target(recipient.address)]
                answers[n] = RecipientAnswer(verdict, found if verdict == "accepted" else [], account)
        for n in await self._over_the_domains_hour(unpaid, charge):
            answers[n] = RecipientAnswer("too_many", [])
        final = [answer for answer in answers if answer is not None]
        for answer in final if charge else ():
            metrics.RECIPIENTS.labels(answer.verdict).inc()
        return final

    async def _postmaster(self) -> RecipientAddress | None:
        """Return the recipient that a bare `postmaster` stands for (RFC 5321 4.5.1); None while there is no domain."""
        domain = self._primary or await self._directory.oldest_domain()
        return _parse(f"{BARE_POSTMASTER}@{domain}") if domain else None

    async def _relay(
        self, items: Sequence[RecipientQuestion], weights: Sequence[int], charge: bool
    ) -> list[tuple[Verdict, UUID | None]]:
        """Return (verdict, account) of remote recipients.

        `not_relayed` (S10) without a right to relay; with one, each is charged to its account, up to the limit per hour.

        `weights`: the number of remote addresses that each of them leads to.
        """
        rows = []
        for item in items:
            sender = parse_sender(item.mail_from)
            rows.append(
                SenderRow(sender.key, sender.domain, self._policy.holder(item.client_address), item.login_mailbox)
            )
        now = self._clock.now()
        accounts: list[UUID | None] = [row["mailbox_id"] for row in await self._directory.senders(rows, now)]
        capped = [
            account if self._per_hour and not self._is_exempt(item.client_address) else None
            for item, account in zip(items, accounts, strict=True)
        ]
        counts: Counter[UUID] = Counter()
        for account, weight in zip(capped, weights, strict=True):
            if account is not None:
                counts[account] += weight
        room = await self._charge(counts, now, self._per_hour, charge)
        answers: list[tuple[Verdict, UUID | None]] = []
        for account, charged, weight in zip(accounts, capped, weights, strict=True):
            if account is None:
                answers.append(("not_relayed", None))
            elif charged is None:
                answers.append(("accepted", account))
            else:
                room[charged] -= weight
                answers.append(("accepted" if room[charged] >= 0 else "too_many", account))
        return answers

    async def _over_the_domains_hour(self, unpaid: Mapping[int, tuple[UUID, int]], charge: bool) -> list[int]:
        """Charge forwards of mail from clients without a right to the forwarding domains; return those over the limit."""
        if not unpaid or not self._forwarded_per_hour:
            return []
        counts: Counter[UUID] = Counter()
        for domain, weight in unpaid.values():
            counts[domain] += weight
        room = await self._charge(counts, self._clock.now(), self._forwarded_per_hour, charge)
        over = []
        for n, (domain, weight) in unpaid.items():
            room[domain] -= weight
            if room[domain] < 0:
                over.append(n)
        return over

    async def _charge(self, counts: Counter[UUID], now: datetime, per_hour: int, charge: bool) -> dict[UUID, int]:
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


def _remote(answer: RecipientAnswer | None) -> int:
    """Return the number of remote addresses that a local recipient's forwards lead to."""
    return sum(1 for target in answer.targets if target.mailbox_id is None) if answer is not None else 0


def domain_key(domain: str) -> UUID:
    """Return the key of a domain's forwarded recipients in the table that counts the accounts' recipients."""
    return uuid5(NAMESPACE_DNS, domain)


def _is_bare(text: str) -> bool:
    return text.strip().lower() == BARE_POSTMASTER


def _parse(text: str) -> RecipientAddress | None:
    try:
        return parse_recipient(text)
    except BadAddress:
        return None


def _local_answer(recipient: RecipientAddress | None, expansion: Expansion) -> RecipientAnswer | None:
    """Return the answer for a malformed or local recipient; None for a remote one."""
    if recipient is None:
        return RecipientAnswer("bad_address", [])
    if not expansion.local(recipient):
        return None
    try:
        targets = expansion.targets(recipient)
    except Loop:
        return RecipientAnswer("loop", [])
    return RecipientAnswer("accepted" if targets else "no_mailbox", targets)
