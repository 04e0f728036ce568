"""The remote courier: one group of messages to one destination domain, host by host."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from mailkit.dns import Resolver
from queue_worker.couriers import trouble
from queue_worker.couriers.conversation import Conversation
from queue_worker.couriers.models import CourierSettings, Outcome, RemoteMessage, Report
from queue_worker.couriers.targets import NoTarget, Target, Targets
from queue_worker.couriers.trouble import Trouble


class RemoteCourier:
    """Delivers over SMTP. One per process; `deliver` may run many times at once."""

    def __init__(self, settings: CourierSettings, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._targets = Targets(settings, resolver or Resolver(settings.dns_servers))
        self._idle: dict[Target, list[Conversation]] = defaultdict(list)
        self._open: set[Conversation] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._stopping = False

    async def deliver(self, domain: str, messages: Sequence[RemoteMessage], report: Report) -> None:
        """Send `messages` to `domain`; `report` hears of every recipient exactly once before this returns."""
        left = list(messages)
        last: Trouble = trouble.no_connection()
        try:
            if not self._stopping:
                left, last = await self._try_all(await self._targets.of(domain), left, report)
        except NoTarget as none:
            report(
                [Outcome(r.key, none.verdict, none.status, none.text) for message in left for r in message.recipients]
            )
            return
        for message in left:
            if self._stopping:
                report([trouble.returned(recipient) for recipient in message.recipients])
            else:
                report([trouble.deferred(recipient, last) for recipient in message.recipients])

    async def _try_all(
        self, targets: list[Target], left: list[RemoteMessage], report: Report
    ) -> tuple[list[RemoteMessage], Trouble]:
        """Host after host until nothing is left; what no host took, and the most telling trouble."""
        worst: Trouble | None = None
        for target in targets:
            rounds = 0
            while left and rounds < 50 and not self._stopping:
                rounds += 1
                try:
                    conversation = await self._conversation(target)
                except Trouble as problem:
                    # that no connection could be made says least; a broken TLS session or a refusal says more
                    if worst is None or worst.text == trouble.NO_CONNECTION:
                        worst = problem
                    break
                before = len(left)
                try:
                    left = await conversation.send(left, report)
                finally:
                    self._keep(target, conversation)
                if left and len(left) == before:
                    break
            if not left or self._stopping:
                break
        return left, worst or trouble.no_connection()

    # -- connections

    async def _conversation(self, target: Target) -> Conversation:
        """A kept connection, or a new one. Raises Trouble."""
        kept = self._idle.get(target, [])
        while kept:
            conversation = kept.pop()
            if not conversation.closing:
                return conversation
            self._open.discard(conversation)
        conversation = Conversation(self._settings, target)
        self._open.add(conversation)
        try:
            await conversation.open()
        except BaseException:
            self._open.discard(conversation)
            raise
        return conversation

    def _keep(self, target: Target, conversation: Conversation) -> None:
        if conversation.closing or self._stopping:
            self._open.discard(conversation)
            conversation.cut()
            return
        if conversation.sent >= self._settings.messages_per_connection:
            asyncio.get_running_loop().create_task(self._leave(conversation))
            return
        conversation.idle_since = asyncio.get_running_loop().time()
        self._idle[target].append(conversation)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def _leave(self, conversation: Conversation) -> None:
        self._open.discard(conversation)
        await conversation.quit()

    async def _sweep(self) -> None:
        """End connections that nobody needed for a while; ends itself when none is left."""
        while any(self._idle.values()):
            await asyncio.sleep(min(self._settings.idle_seconds, 5.0))
            limit = asyncio.get_running_loop().time() - self._settings.idle_seconds
            for target, kept in list(self._idle.items()):
                old = [c for c in kept if c.idle_since <= limit or c.closing]
                self._idle[target] = [c for c in kept if c not in old]
                if not self._idle[target]:
                    del self._idle[target]
                await asyncio.gather(*(self._leave(c) for c in old))

    async def stop(self, grace: float) -> None:
        """Decision 13: cut what has no final dot (returned), wait up to `grace` seconds for dots under way (else in doubt)."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for conversation in list(self._open):
            if not conversation.dots:
                conversation.cut()
        end = asyncio.get_running_loop().time() + grace
        while any(c.dots for c in self._open) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        for conversation in list(self._open):
            conversation.cut()
        self._open.clear()
        self._idle.clear()
