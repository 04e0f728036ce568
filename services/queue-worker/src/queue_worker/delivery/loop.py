"""The loop that delivers to remote hosts. It repeats these steps:

1. `Walk` and every hand-over add the pairs of flow and domain that have due mail to `Ready`.
2. Pairs are taken in turn, as far as their flow's share and their domain's slots allow (docs/decisions/0036).
3. Their due recipients are claimed in one statement, under a lease that `Leases` renews (decision 6).
4. A recipient that an earlier attempt may have reached is in doubt, and one with our Delivered-To is a loop, and one to a
   suppressed address is given up: recorded at once.
5. The rest is grouped by message and divided among conversations, each with a slot.
6. The courier speaks SMTP, to the smart host where a route says so (docs/decisions/0083); before each final dot `Leases.mark_dot` commits the "dot sent" mark.
7. The courier reports one result for each recipient; `Recorder` commits it: delivered, deferred, or given up with its bounce.
8. The slot and the share are released, and the next pair has its turn.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from bodystore import BodyStore
from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from mailkit.process.report import report as report_error
from mailkit.rpc.batch import Pace
from queue_worker.couriers import RemoteCourier
from queue_worker.couriers.signatures import BounceSignatures
from queue_worker.delivery.conversations import Conversations
from queue_worker.delivery.floor import Floor
from queue_worker.delivery.in_hand import InHand
from queue_worker.delivery.leases import LEASE, Leases
from queue_worker.delivery.outgoing import messages_of
from queue_worker.delivery.ready import Ready
from queue_worker.delivery.record import Recorder
from queue_worker.delivery.relays import Relays
from queue_worker.delivery.schedule import TURN_SECONDS
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.slots import Slot, Slots
from queue_worker.delivery.suppression import Suppression
from queue_worker.delivery.walk import Walk
from queue_worker.models import EVER, LOOP, NOT_FORWARDED, Claim, Outcome, Pair, Result
from queue_worker.storage.claims import Claims

log = get_logger()

#: Most domains that one statement claims from, most recipients of each, and most flows of each that share a conversation.
DOMAINS = 50
EACH = 100
#: Most pairs that wait for the limits of one operator; the next walk finds the others.
ASIDE = 1000
FLOWS = 10
POLL_SECONDS = 1.0
_PAIR = attrgetter("flow", "destination")
_DUE = attrgetter("due")
_DOUBT = "The remote host may have taken the message: its answer was lost. (#4.4.2)"


class Delivery:
    """The loop that delivers to remote hosts. Call `wake` with the pairs that have something new."""

    def __init__(
        self,
        claims: Claims,
        bodies: BodyStore,
        clock: Clock,
        leases: Leases,
        recorder: Recorder,
        remote: RemoteCourier,
        suppression: Suppression,
        relays: Relays,
        signatures: BounceSignatures,
        shaping: Shaping,
        local: Floor,
        *,
        per_domain: int,
    ) -> None:
        self._claims = claims
        self._clock = clock
        self._remote = remote
        self._suppression = suppression
        self._ready = Ready()
        self.walk = Walk(claims, clock, self._ready, local, shaping)
        self._shaping = shaping
        self._aside = {each.operator.name: Ready(ASIDE) for each in shaping.shaped(0.0)}
        self._slots = Slots(per_domain, shaping)
        self._due = asyncio.Event()
        self._in_hand = InHand(leases, recorder, self._due.set)
        self._conversations = Conversations(
            bodies, leases, remote, relays, signatures, self._slots, shaping, self._in_hand, self._unblock
        )
        self._claiming: set[asyncio.Future[None]] = set()
        self._stopping = False

    def wake(self, pairs: Iterable[Pair] = (), since: datetime = EVER) -> None:
        """Wake the loop: something became due for `pairs` at `since` or later, or a slot is free."""
        self._ready.add(pairs, since)
        self._due.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        walked = 0.0
        loop = asyncio.get_running_loop()
        pace = Pace(TURN_SECONDS)
        while not self._stopping:
            self._due.clear()
            try:
                if loop.time() - walked >= POLL_SECONDS and await self.walk.step():
                    walked = loop.time()  # a whole round over all domains is done; the next one in a second
                    self._shaping.measure(walked, {name: len(aside) for name, aside in self._aside.items()})
                await pace.wait()
                if not await self.turn():
                    await self._wait(POLL_SECONDS - (loop.time() - walked))
            except Exception as error:
                report_error(error, "deliver")
                await asyncio.sleep(1)

    async def stop(self, grace: float) -> None:
        """Claim nothing more; end conversations within `grace` seconds (decision 13) and record their outcomes.

        What a claim under way still returns is given back untried by the courier, which has stopped by then.
        """
        self._stopping = True
        self._due.set()
        await self._remote.stop(grace)
        await self.settled(grace + 1)

    async def settled(self, seconds: float) -> None:
        """Wait until nothing is under way, for at most `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (
            tasks := {*self._claiming, *self._conversations.under_way, *self._in_hand.recording}
        ) and loop.time() < end:
            await asyncio.wait(tasks, timeout=end - loop.time())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):  # wait_for loses a cancellation before Python 3.12
                await self._due.wait()
        except TimeoutError:
            pass

    # -- claiming

    async def turn(self) -> int:
        """Claim for the pairs whose turn it is and begin their conversations; return the number of recipients."""
        if self._stopping:
            return 0
        claim: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._claiming.add(claim)
        try:
            return await self._claim()
        finally:
            self._claiming.discard(claim)
            claim.set_result(None)

    async def _claim(self) -> int:
        slots: dict[str, Slot] = {}
        self._resume(asyncio.get_running_loop().time())
        taken = self._ready.take(DOMAINS, lambda flow, domain: self._reserve(slots, flow, domain), FLOWS)
        if not taken:
            return 0
        pairs = Counter(domain for _, domain in taken)
        most = [self._allow(flow, slots[domain], EACH // pairs[domain]) for flow, domain in taken]
        since = [self._ready.since(pair) for pair in taken]
        now = self._clock.now()
        try:
            claims = await self._claims.remote(now, now + LEASE, taken, most, since)
            suppressed = await self._suppression.refused([c for c in claims if not (c.was_sent or c.looped)], now)
        except BaseException:
            for pair, limit, start in zip(taken, most, since, strict=True):
                self._unclaimed(pair[0], slots[pair[1]], limit)
                self._ready.add([pair], start)
            for slot in slots.values():
                self._conversations.release(slot, None)
            raise
        self._in_hand.hold(claims)
        found = Counter(map(_PAIR, claims))
        latest = {_PAIR(claim): claim.due for claim in sorted(claims, key=_DUE)}
        for pair, limit in zip(taken, most, strict=True):
            self._unclaimed(pair[0], slots[pair[1]], limit - found[pair])
            if found[pair] >= limit:
                self._ready.add([pair], latest[pair])  # what is left became due no earlier
        self._divide(claims, suppressed, slots)
        return len(claims)

    def _divide(self, claims: list[Claim], suppressed: dict[Claim, Result], slots: dict[str, Slot]) -> None:
        """Record the recipients that are in doubt, a loop, not to be forwarded or `suppressed`, and begin conversations for the rest."""
        if suppressed:
            self._in_hand.record(list(suppressed.values()))
        doubtful = [claim for claim in claims if claim.was_sent]
        if doubtful:
            self._in_hand.record([Result(claim, Outcome.in_doubt, "4.4.2", _DOUBT) for claim in doubtful])
        refused = [
            Result(claim, Outcome.failed, *(("5.4.6", LOOP) if claim.looped else ("5.7.1", NOT_FORWARDED)))
            for claim in claims
            if (claim.looped or claim.unforwardable) and not claim.was_sent and claim not in suppressed
        ]
        if refused:
            self._in_hand.record(refused)
        by_domain: dict[str, list[Claim]] = {}
        for claim in claims:
            if not (claim.was_sent or claim.looped or claim.unforwardable or claim in suppressed):
                by_domain.setdefault(claim.destination, []).append(claim)
        for domain, slot in slots.items():
            self._conversations.begin(slot, messages_of(by_domain.get(domain, [])))

    def _allow(self, flow: UUID, slot: Slot, most: int) -> int:
        """Return how many recipients of `flow` may be claimed for `slot`, by the flow's share and the operator's rate."""
        limit = self._in_hand.allow(flow, most)
        granted = self._shaping.spend(slot.operator, limit, asyncio.get_running_loop().time())
        self._in_hand.unclaimed(flow, limit - granted)
        return granted

    def _unclaimed(self, flow: UUID, slot: Slot, count: int) -> None:
        self._in_hand.unclaimed(flow, count)
        self._shaping.refund(slot.operator, count)

    def _resume(self, now: float) -> None:
        """Make as many of the pairs that were held back ready again as their operators' limits allow conversations."""
        for name, aside in self._aside.items():
            if len(aside) and (free := self._shaping.free(name, now)):
                for pair, since in aside.take_all(free):
                    self._ready.add([pair], since)

    def _reserve(self, slots: dict[str, Slot], flow: UUID, domain: str) -> bool | Ready | None:
        """Take a slot for a conversation of `flow` with `domain`; False if not now, None if the domain has none free.

        If the domain's operator allows none now, return the pairs that wait for that (docs/decisions/0101).
        """
        now = asyncio.get_running_loop().time()
        if domain in slots:
            return False
        operator = self._shaping.of(domain)
        if operator is not None and not self._shaping.free(operator, now):
            return self._aside[operator]
        if not self._slots.free(domain, now):
            return None
        if not self._in_hand.free(flow) or (slot := self._slots.take(flow, domain, now)) is None:
            return False
        slots[domain] = slot
        return True

    def _unblock(self, domain: str) -> None:
        self._ready.unblock(domain, self._slots.free(domain, asyncio.get_running_loop().time()))
        self._due.set()
