"""Conversations with remote hosts: the messages of a domain are divided among them, and each result is recorded once."""

import asyncio
from collections.abc import Callable, Sequence

from bodystore import BodyStore
from mailkit.process.report import report as report_error
from queue_worker.couriers import Relay, RemoteCourier, RemoteMessage
from queue_worker.couriers.signatures import BounceSignatures
from queue_worker.delivery.destinations import split
from queue_worker.delivery.in_hand import InHand
from queue_worker.delivery.leases import Leases
from queue_worker.delivery.outgoing import Bodies, cleaned, prefix_of
from queue_worker.delivery.relays import Relays
from queue_worker.delivery.shaping import Shaping
from queue_worker.delivery.slots import Slot, Slots
from queue_worker.models import Claim, Outcome, Result

#: Outcomes for which nothing was tried at the destination.
_UNTRIED = frozenset({Outcome.returned, Outcome.postponed})


class Conversations:
    """The conversations of one worker. `freed` is called with a domain that may have a slot free."""

    def __init__(
        self,
        bodies: BodyStore,
        leases: Leases,
        remote: RemoteCourier,
        relays: Relays,
        signatures: BounceSignatures,
        slots: Slots,
        shaping: Shaping,
        in_hand: InHand,
        freed: Callable[[str], None],
    ) -> None:
        self._bodies = bodies
        self._leases = leases
        self._remote = remote
        self._relays = relays
        self._signatures = signatures
        self._slots = slots
        self._shaping = shaping
        self._in_hand = in_hand
        self._freed = freed
        self.under_way: set[asyncio.Task[None]] = set()

    def begin(self, slot: Slot, messages: list[list[Claim]]) -> None:
        """Begin conversations for `messages`: the first on `slot`, more while there are free slots."""
        if not messages:
            return self.release(slot, None)
        size = split(len(messages), 1 + self._slots.more(slot, asyncio.get_running_loop().time()))
        for start in range(0, len(messages), size):
            if start:
                slot = self._slots.another(slot)
            task = asyncio.get_running_loop().create_task(self._converse(slot, messages[start : start + size]))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
        return None

    def release(self, slot: Slot, reached: bool | None) -> None:
        """Give `slot` back. `reached`: whether a host of its domain answered; None if none was tried."""
        self._slots.release(slot, reached, asyncio.get_running_loop().time())
        self._freed(slot.domain)

    async def _converse(self, slot: Slot, messages: list[list[Claim]]) -> None:
        bodies = Bodies(self._bodies, [group[0] for group in messages], self._signatures)
        left = {claim for group in messages for claim in group}
        reached: bool | None = None
        by_mx = True

        def admit(hosts: Sequence[str]) -> bool:
            return self._slots.admit(slot, hosts, len(left), asyncio.get_running_loop().time())

        def report(results: Sequence[Result]) -> None:
            nonlocal reached
            new = []
            for result in results:
                if by_mx and result.outcome is Outcome.delivered:
                    slot.delivered = True
                elif by_mx and result.outcome is Outcome.deferred and result.diagnostic:
                    self._shaping.replied(slot.operator, result.diagnostic, asyncio.get_running_loop().time())
                if result.claim in left:  # only the first result of a claim counts
                    left.remove(result.claim)
                    new.append(cleaned(result))
            if not reached and (tried := [result for result in results if result.outcome not in _UNTRIED]):
                reached = any(result.reached for result in tried)
                if reached:
                    self._slots.answered(slot.domain, asyncio.get_running_loop().time())
                    self._freed(slot.domain)
            if new:
                self._in_hand.record(new)

        def remote_message(group: list[Claim]) -> RemoteMessage:
            first = group[0]
            prefix = prefix_of(first)
            return RemoteMessage(
                first.message_id,
                first.sender or first.mail_from,
                group,
                len(prefix) + first.size,
                first.eight_bit or not prefix.isascii(),
                first.smtputf8,
                load_body=lambda: bodies.load(first),
                before_dot=lambda: self._leases.mark_dot([claim for claim in group if claim in left]),
                tls=_asked_of_tls(first),
            )

        try:
            by_route: dict[tuple[Relay | None, str], list[RemoteMessage]] = {}
            for group in messages:
                first = group[0]
                relay = self._relays.of(
                    slot.domain, first.flow, first.mail_from, first.message_id, via=first.via, named=first.route
                )
                by_route.setdefault((relay, _asked_of_tls(first)), []).append(remote_message(group))
            for (relay, _), found in by_route.items():
                by_mx = relay is None or relay.host is None
                await self._remote.deliver(slot.domain, found, report, relay, admit if by_mx else None)
        except Exception as error:
            report_error(error, "converse")
        finally:
            if left:  # without a result: their leases expire, and the mark says whether they are in doubt
                self._in_hand.let_go(list(left))
            self.release(slot, reached)


def _asked_of_tls(claim: Claim) -> str:
    """Return what an attempt asks of the hosts' TLS: of a bounce, REQUIRETLS only where it is offered (RFC 8689 5)."""
    return "preferred" if claim.tls == "required" and not claim.mail_from else claim.tls
