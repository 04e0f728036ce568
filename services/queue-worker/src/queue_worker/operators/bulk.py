"""One action on the recipients that a filter matches: in batches, each a transaction, each of which may be repeated."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from mailkit.process.clock import Clock
from mailkit.process.logs import get_logger
from queue_worker.delivery.leases import LEASE, Leases
from queue_worker.delivery.record import Recorder
from queue_worker.models import Key, Outcome, Pair, Result
from queue_worker.storage.actions import Actions, Effect
from queue_worker.storage.operations import OperatorAction
from queue_worker.storage.records import Filter, Matched, Records, Window

log = get_logger()

#: Recipients that one statement looks at, and after how many matched ones a batch ends.
WINDOW = 2000
BATCH = 2000
#: Windows of a batch in which nothing matched.
WINDOWS = 10
#: Seconds without work after each second of a change, in which mail has the database and this process for itself.
REST = 1.0
#: Recipients given up in one transaction, whose bounces are in memory together.
GIVEN_UP = 200
#: The states that each action changes. A claimed recipient is being tried: it is left alone, and counted.
CHANGES = {
    "hold": {"waiting"},
    "release": {"held"},
    "retry": {"waiting"},
    "route": {"waiting", "held"},
    "remove": {"waiting", "held"},
    "bounce": {"waiting", "held"},
    "expire": {"waiting", "held"},
}
_UNTRIED = "It was not tried. (#4.4.7)"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch changed. `busy`: recipients that match and are being tried. `next`: the last message looked at, if more follow."""

    messages: int
    recipients: int
    busy: int
    next: UUID | None


class Bulk:
    """The actions of one worker."""

    def __init__(
        self,
        records: Records,
        actions: Actions,
        recorder: Recorder,
        leases: Leases,
        clock: Clock,
        wake: Callable[[Iterable[Pair], datetime], None],
    ) -> None:
        self._records = records
        self._actions = actions
        self._recorder = recorder
        self._leases = leases
        self._clock = clock
        self._wake = wake

    async def batch(self, operation: OperatorAction, wanted: Filter, after: UUID, *, dry_run: bool) -> Batch:
        """Look at the recipients after message `after` until enough of them match, and change those; see CHANGES."""
        action = operation.action
        messages = recipients = busy = 0
        last: UUID | None = after
        for _ in range(WINDOWS):
            if last is None or recipients >= BATCH:
                break
            began = time.monotonic()
            window = await self._records.window(last, wanted, WINDOW)
            if dry_run:
                found = await self._records.matching(window)
                if action == "route":
                    found = [each for each in found if each.remote]
                some = [each for each in found if each.state in CHANGES[action]]
                done = Effect(
                    len(some) + sum(each.state == "claimed" for each in found), len(some), _messages(some), []
                )
            else:
                done = await self._change(operation.again(self._clock.now()), window)
            messages += done.messages
            recipients += done.recipients
            busy += done.found - done.recipients
            last = window.end
            if last is not None and done.recipients and not dry_run:
                await asyncio.sleep((time.monotonic() - began) * REST)
        return Batch(messages, recipients, busy, last)

    async def _change(self, operation: OperatorAction, window: Window) -> Effect:
        action = operation.action
        if action == "hold":
            return await self._actions.hold(window, operation)
        change = {"release": self._actions.release, "retry": self._actions.retry, "route": self._actions.route}.get(
            action
        )
        if change is not None:
            done = await change(window, operation)
            self._wake(done.pairs, operation.at)
            return done
        if action == "remove":
            matching, removed = await self._recorder.remove(window, operation)
            return Effect(matching, len(removed), len({message_id for message_id, _ in removed}), [])
        found = await self._records.matching(window)
        some = [each for each in found if each.state in CHANGES[action]]
        keys = [each.key for each in some]
        given_up = [
            await self._give_up(keys[start : start + GIVEN_UP], operation.again(self._clock.now()))
            for start in range(0, len(keys), GIVEN_UP)
        ]
        return Effect(len(found), sum(given_up), _messages(some), [])

    async def _give_up(self, keys: Sequence[Key], operation: OperatorAction) -> int:
        """Claim recipients and record them as refused for the operation's reason, or as expired: their senders get bounces."""
        now = operation.at
        taken = await self._actions.take(keys, operation, now + LEASE)
        claims = [each.claim for each in taken]
        self._leases.hold(claims)
        try:
            if operation.action == "bounce":
                results = [Result(claim, Outcome.failed, "5.7.1", operation.reason) for claim in claims]
            else:
                results = [
                    Result(
                        replace(each.claim, expires=now),
                        Outcome.deferred,
                        each.status or "4.4.7",
                        each.reply or _UNTRIED,
                        each.remote_host,
                        each.diagnostic,
                    )
                    for each in taken
                ]
            await self._recorder.record(results)
        finally:
            self._leases.release(claims)
        return len(claims)


def _messages(found: Sequence[Matched]) -> int:
    return len({each.message_id for each in found})
