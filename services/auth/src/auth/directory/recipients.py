"""Answers to RCPT: the final targets of local recipients, and the right to relay to remote ones (S10, S14, L1-L3)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import NAMESPACE_DNS, UUID, uuid5

from msgspec import structs

from auth import metrics
from auth.addresses import RecipientAddress, parse_recipient
from auth.directory.expand import Expansion, Loop
from auth.directory.moves import of_what_is_here
from auth.directory.relaying import Relaying
from auth.directory.returns import Returns
from auth.moves import Move, Moves
from auth.storage.directory import Directory
from auth_api.wire import BARE_POSTMASTER, RecipientAnswer, RecipientQuestion, Target
from mailkit.mail.address import BadAddress
from mailkit.process.clock import Clock


class Recipients:
    """Answers lists of RCPT questions: one statement per level of forwards, and at most four more."""

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        relaying: Relaying,
        *,
        primary_domain: str = "",
        forwarded_per_hour: int = 0,
        returned_per_hour: int = 0,
        returns: Returns,
        moves: Moves,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._relaying = relaying
        self._primary = primary_domain
        self._forwarded_per_hour = forwarded_per_hour
        self._returned_per_hour = returned_per_hour
        self._returns = returns
        self._moves = moves

    async def answer(self, items: Sequence[RecipientQuestion], *, charge: bool = True) -> list[RecipientAnswer]:
        """Return one answer per question, in order. `charge` False: look at the hours, and count nothing. Raises Unavailable."""
        postmaster = await self._postmaster() if any(_is_bare(item.address) for item in items) else None
        parsed = [postmaster if _is_bare(item.address) else _parse(item.address) for item in items]
        await self._returns.load()
        moves = await self._moves.known()
        returned = {n: self._returns.original(r) for n, r in enumerate(parsed) if r and self._returns.concerns(r)}
        expansion = Expansion()
        await expansion.load(
            [found for n, r in enumerate(parsed) if (found := returned.get(n, r))],
            of_what_is_here(self._directory.lookup, self._moves, moves),
        )
        answers: list[RecipientAnswer | None] = [
            _returned_answer(recipient, returned[n], expansion)
            if recipient and n in returned
            else _local_answer(recipient, expansion)
            for n, recipient in enumerate(parsed)
        ]
        handed = {
            n: _handed(recipient, answers[n], move, items[n].client_address)
            for n, recipient in enumerate(parsed)
            if recipient and n not in returned and (move := moves.get(recipient.domain)) and _is_unknown(answers[n])
        }
        for n, answer in handed.items():
            answers[n] = answer
        leaving = [n for n, answer in enumerate(answers) if n not in handed and (answer is None or _remote(answer))]
        forwarded: dict[int, tuple[UUID, int]] = {}
        bounced: dict[int, tuple[UUID, int]] = {}
        if leaving:
            weights = [_remote(answers[n]) or 1 for n in leaving]
            relayed = await self._relaying.rights([items[n] for n in leaving], weights, charge)
            for n, (verdict, account, own, whose) in zip(leaving, relayed, strict=True):
                recipient, local = parsed[n], answers[n]
                assert recipient is not None
                if local is None:
                    there = [Target(recipient.address)] * (verdict == "accepted")
                    answers[n] = RecipientAnswer(verdict, there, account, whose)
                elif verdict == "too_many":
                    answers[n] = RecipientAnswer(verdict, [], account, whose)
                else:  # a forward needs no right: without one its domain is charged, or whoever its bounces go to
                    if (back := returned.get(n)) is not None:
                        bounced |= {n: (uuid5(NAMESPACE_DNS, back.key), 1)} if account is None else {}
                    elif account is None:
                        forwarded[n] = domain_key(recipient.domain), _remote(local)
                    sender = "" if own else self._returns.sender(items[n].mail_from)
                    answers[n] = RecipientAnswer(
                        "accepted", [_sent_by(each, sender) for each in local.targets], account
                    )
        over = await self._over_the_hour(forwarded, self._forwarded_per_hour, charge)
        over += await self._over_the_hour(bounced, self._returned_per_hour, charge)
        for n in over:
            answers[n] = RecipientAnswer("too_many", [])
        final = [answer for answer in answers if answer is not None]
        for answer in final if charge else ():
            metrics.RECIPIENTS.labels(answer.verdict).inc()
        return final

    async def _postmaster(self) -> RecipientAddress | None:
        """Return the recipient that a bare `postmaster` stands for (RFC 5321 4.5.1); None while there is no domain."""
        domain = self._primary or await self._directory.oldest_domain()
        return _parse(f"{BARE_POSTMASTER}@{domain}") if domain else None

    async def _over_the_hour(self, unpaid: Mapping[int, tuple[UUID, int]], per_hour: int, charge: bool) -> list[int]:
        """Charge mail of clients without a right to (key, addresses), by number; return the numbers over the limit."""
        if not unpaid or not per_hour:
            return []
        counts: Counter[UUID] = Counter()
        for key, weight in unpaid.values():
            counts[key] += weight
        room = await self._relaying.charge(counts, self._clock.now(), per_hour, charge)
        over = []
        for n, (key, weight) in unpaid.items():
            room[key] -= weight
            if room[key] < 0:
                over.append(n)
        return over


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


def _sent_by(target: Target, sender: str) -> Target:
    """Return a target, of a forward to elsewhere with the sender that its copy gets."""
    return structs.replace(target, sender=sender) if sender and target.mailbox_id is None else target


def _returned_answer(
    recipient: RecipientAddress, original: RecipientAddress | None, expansion: Expansion
) -> RecipientAnswer:
    """Return the answer for the sender of forwarded mail, which leads back to `original`; None: it is not ours."""
    if original is None:
        return RecipientAnswer("no_mailbox", [])
    answer = _local_answer(original, expansion)
    return answer or RecipientAnswer("accepted", [Target(original.address, via=recipient.address)])


def _is_unknown(answer: RecipientAnswer | None) -> bool:
    return answer is None or answer.verdict == "no_mailbox"


def _handed(
    recipient: RecipientAddress, answer: RecipientAnswer | None, move: Move, client: str | None
) -> RecipientAnswer:
    """Return the answer for an address of a moving domain that is not here: its old host gets the mail (docs/decisions/0126).

    From the old host itself it waits there until the domain is switched; what neither host knows is refused.
    """
    if not move.is_old_host(client):
        return RecipientAnswer("accepted", [Target(recipient.address)])
    return answer or RecipientAnswer("moving", [])


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
