"""The remote courier: one group of messages to one destination domain, host by host."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from mailkit.dns import Resolver
from mailkit.lifecycle import describe
from mailkit.logs import get_logger
from queue_worker.couriers import trouble
from queue_worker.couriers.conversation import Conversation
from queue_worker.couriers.kept import Kept
from queue_worker.couriers.ledger import Ledger
from queue_worker.couriers.models import CourierSettings, Outcome, RemoteMessage, Report
from queue_worker.couriers.targets import NoTarget, Target, Targets
from queue_worker.couriers.transfer import Broken, Transfer
from queue_worker.couriers.trouble import Telling, Trouble

log = get_logger()

#: Connections to one address that may break in a row without a single recipient settled, before the next is tried.
FRUITLESS = 2


class RemoteCourier:
    """Delivers over SMTP. One per process; `deliver` may run many times at once."""

    def __init__(self, settings: CourierSettings, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._targets = Targets(settings, resolver or Resolver(settings.dns_servers))
        self._kept = Kept(settings)
        self._groups: dict[asyncio.Task[None], Ledger] = {}
        self._stopping = False

    async def deliver(self, domain: str, messages: Sequence[RemoteMessage], report: Report) -> None:
        """Send `messages` to `domain`; `report` hears of every recipient exactly once before this returns."""
        ledger = Ledger(messages, report)
        if self._stopping:
            return ledger.close_returned("the service stops")
        # a task of its own: `stop` can end it without ending the caller
        group = asyncio.get_running_loop().create_task(self._group(domain, ledger))
        self._groups[group] = ledger
        try:
            await asyncio.wait([group])
        except asyncio.CancelledError:
            group.cancel()
            await asyncio.wait([group])
            raise
        finally:
            del self._groups[group]
        return None

    async def stop(self, grace: float) -> None:
        """Decision 13: cut what has no final dot (returned), wait up to `grace` seconds for dots under way (else in doubt)."""
        self._stopping = True
        groups = dict(self._groups)
        for group, ledger in groups.items():
            if not ledger.dots:
                group.cancel()
        if groups:
            _, late = await asyncio.wait(groups, timeout=grace)
            for group in late:
                group.cancel()
            if late:
                await asyncio.wait(late)
        await self._kept.close()

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _group(self, domain: str, ledger: Ledger) -> None:
        """Everything for one group; in the end nobody is open, whatever happened."""
        try:
            worst = await self._try_all(await self._targets.of(domain), ledger)
            if not self._stopping:
                ledger.close_deferred(worst)
        except NoTarget as none:
            ending = none
            ledger.close_all(lambda r: Outcome(r.key, ending.verdict, ending.status, ending.text))
        except asyncio.CancelledError:
            pass  # what became of them is said below
        except Exception as error:
            log.error("bug", work="deliver", error=describe(error), exc_info=error)
            ledger.close_deferred(trouble.local("The message could not be sent because of an error of ours."))
        finally:
            ledger.close_returned("the service stopped before its answer came")

    async def _try_all(self, targets: list[Target], ledger: Ledger) -> Trouble:
        """Host after host until nobody is open; the most telling trouble of those that took nothing."""
        worst = trouble.no_connection()
        tls_failed: dict[str, Trouble] = {}
        for target in targets:
            if not ledger or self._stopping:
                break
            found = await self._at(target, ledger, tls_failed.get(target.host))
            if found is not None:
                worst = trouble.worse(worst, found)
                if found.telling is Telling.tls:
                    tls_failed[target.host] = found  # S11: its other addresses get no plain text either
        return worst

    async def _at(self, target: Target, ledger: Ledger, tls_failed: Trouble | None) -> Trouble | None:
        """One address: connections are made anew while they settle something. The last trouble, if there was one.

        A message that was begun when a connection broke goes behind the others, and when it broke two that had settled
        nothing to the next address, lest it break every one.
        """
        begun: Counter[int] = Counter()
        broke: Counter[int] = Counter()
        fruitless = 0
        last: Trouble | None = None
        while not self._stopping:
            work = sorted((m for m in ledger.messages() if broke[id(m)] < 2), key=lambda m: begun[id(m)])
            if not work:
                break
            kept = self._kept.take(target, tls_failed is not None)
            talk = kept or Conversation(self._settings, target)
            settled = ledger.settled
            try:
                if kept is None:
                    await talk.open(tls_failed)
                await Transfer(talk, work, ledger, self._settings.messages_per_connection, self._is_stopping).run()
            except Trouble as found:
                return trouble.worse(last, found)
            except Broken as broken:
                talk.cut()
                if kept is not None and not talk.answered:
                    self._kept.forget(target)  # it had gone while nobody looked: that says nothing about the host
                    continue
                last = broken.trouble
                if broken.message is not None:
                    begun[id(broken.message)] += 1
                    broke[id(broken.message)] += ledger.settled == settled
                    ledger.note(broken.message, last)
                fruitless = 0 if ledger.settled > settled else fruitless + 1
                if fruitless >= FRUITLESS:
                    break
            except BaseException:
                talk.cut()
                raise
            else:
                if self._stopping:
                    talk.cut()
                self._kept.give(talk)
        return last
