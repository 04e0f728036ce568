"""The remote courier: one group of messages to one destination domain, host by host."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mailkit.net.dns import Resolver
from mailkit.process.logs import get_logger
from mailkit.process.report import report
from queue_worker.couriers import trouble
from queue_worker.couriers.connecting import BUSY_SECONDS, Connecting
from queue_worker.couriers.idle_connections import IdleConnections
from queue_worker.couriers.ledger import Ledger
from queue_worker.couriers.models import Admit, CourierSettings, Relay, RemoteMessage, Report
from queue_worker.couriers.targets import HostAddress, NoTarget, Targets, allowed
from queue_worker.couriers.transfer import Broken, Transfer
from queue_worker.couriers.trouble import Busy, Significance, Trouble
from queue_worker.models import Result
from queue_worker.tls.policies import Policies, required
from queue_worker.tls.policy import OPPORTUNISTIC, ROUTE, HostRefused, TlsPolicy

log = get_logger()

#: Connections to one address that may break in a row without settling a recipient, before the next address is tried.
FRUITLESS = 2
#: Most addresses without an answer in one attempt (Postfix: smtp_mx_address_limit).
MOST_SILENT = 5


class RemoteCourier:
    """Delivers over SMTP. One per process; many calls of `deliver` may run concurrently."""

    def __init__(
        self, settings: CourierSettings, targets: Targets | None = None, policies: Policies | None = None
    ) -> None:
        self._settings = settings
        self.policies = policies or Policies()
        self._targets = targets or Targets(settings, Resolver(settings.dns_servers))
        self._idle = IdleConnections(settings)
        self._connecting = Connecting(settings, self.policies.results)
        self._turns: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._groups: dict[asyncio.Task[None], Ledger] = {}
        self._stopping = False

    async def deliver(
        self,
        domain: str,
        messages: Sequence[RemoteMessage],
        report: Report,
        relay: Relay | None = None,
        admit: Admit | None = None,
    ) -> None:
        """Send `messages` to `domain`, by the route `relay`; `report` gets one result for every recipient before this returns.

        `admit` is asked with the names of the hosts; False: nothing is tried, and it is postponed.
        """
        ledger = Ledger(messages, report, domain)
        if self._stopping:
            return ledger.close_returned("the service stops")
        # a task of its own: `stop` can end it without ending the caller
        group = asyncio.get_running_loop().create_task(self._group(domain, ledger, relay, admit))
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

    @property
    def port(self) -> int:
        """The port of remote hosts."""
        return self._settings.port

    async def hosts(self, domain: str, relay: Relay | None = None, tls: str = "") -> list[HostAddress]:
        """Return the addresses that an attempt on `domain` by the route `relay` tries, in this order. Raises NoTarget.

        `tls`: what the sender asks about TLS (RFC 8689).
        """
        found = await self._targets.of(domain, relay)
        policies: dict[str, TlsPolicy | HostRefused]
        if relay is not None and relay.host:
            policy = ROUTE if relay.verifies else OPPORTUNISTIC
            policies = {relay.host: required(policy, domain, False) if tls == "required" else policy}
        else:
            policies = await self.policies.of(domain, {target.host for target in found}, tls)
        return allowed(found, policies)

    async def stop(self, grace: float) -> None:
        """Stop all groups (decision 13).

        Those without a final dot are cut (returned). Replies to dots are awaited for up to `grace` seconds (else in doubt).
        """
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
        await self._idle.close()

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _group(self, domain: str, ledger: Ledger, relay: Relay | None, admit: Admit | None) -> None:
        """Deliver one group; at the end no recipient is open, whatever happened."""
        try:
            async with self._turn(relay):
                targets = await self.hosts(domain, relay, ledger.tls)
                if admit is not None and not admit([target.host for target in targets]):
                    raise Busy("4.4.1", trouble.NO_CONNECTION)
                worst = await self._try_all(targets, ledger)
            if not self._stopping:
                if isinstance(worst, Busy):
                    ledger.close_returned("", trouble.postponed)
                else:
                    ledger.close_deferred(worst)
        except Busy:
            ledger.close_returned("", trouble.postponed)
        except NoTarget as none:
            ending = none
            ledger.close_all(lambda r: Result(r, ending.outcome, ending.status, ending.text, reached=False))
        except asyncio.CancelledError:
            pass  # the results are reported below
        except Exception as error:
            report(error, "deliver")
            ledger.close_deferred(trouble.local("The message could not be sent because of an error of ours."))
        finally:
            ledger.close_returned("the service stopped before its answer came")

    @asynccontextmanager
    async def _turn(self, relay: Relay | None) -> AsyncIterator[None]:
        """Wait for one of the conversations with a smart host, which many domains share. Raises Busy after BUSY_SECONDS."""
        if relay is None or relay.host is None:
            yield
            return
        turns = self._turns.setdefault((relay.host, relay.port), asyncio.Semaphore(self._settings.relay_conversations))
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise Busy("4.4.1", trouble.NO_CONNECTION) from None
        try:
            yield
        finally:
            turns.release()

    async def _try_all(self, targets: list[HostAddress], ledger: Ledger) -> Trouble:
        """Try host after host until no recipient is open; return the most significant trouble.

        Addresses that did not answer last time come last, and the attempt ends after MOST_SILENT without an answer.
        """
        worst: Trouble | None = None
        busy: Trouble | None = None
        tls_failed: dict[str, Trouble] = {}
        silent = 0
        for target in sorted(targets, key=lambda target: self._connecting.addresses.is_silent(target.address)):
            if not ledger or self._stopping or silent >= MOST_SILENT:
                break
            began = asyncio.get_running_loop().time()
            found = await self._at(target, ledger, tls_failed.get(target.host))
            if isinstance(found, Busy):
                busy = found
            elif found is not None:
                silent += self._connecting.addresses.failed_since(target.address, began)
                worst = trouble.worse(worst, found)
                if found.significance is Significance.tls:
                    tls_failed[target.host] = found  # S11: its other addresses get no plain text either
        if busy is not None and (worst is None or worst.significance <= Significance.unreachable):
            return busy
        return worst or trouble.no_connection()

    async def _at(self, target: HostAddress, ledger: Ledger, tls_failed: Trouble | None) -> Trouble | None:
        """Deliver to one address, reconnecting while connections settle something; return the last trouble, if any.

        A message that was under way when a connection broke goes behind the others. After two connections that broke
        without settling anything it is left to the next address, so that it does not break every connection.
        """
        begun: Counter[RemoteMessage] = Counter()
        broke: Counter[RemoteMessage] = Counter()
        fruitless = 0
        last: Trouble | None = None
        while not self._stopping:
            work = sorted((m for m in ledger.messages() if broke[m] < 2), key=lambda m: begun[m])
            if not work:
                break
            kept = self._idle.take(target, tls_failed is not None)
            talk = kept
            settled = ledger.settled
            try:
                if talk is None:
                    ledger.connections[target.host] = target.facts("")
                    talk = await self._connecting.open(target, ledger.domain, tls_failed)
                ledger.connections[target.host] = talk.facts
                await Transfer(talk, work, ledger, self._settings.messages_per_connection, self._is_stopping).run()
            except Trouble as found:
                return trouble.worse(last, found)
            except Broken as broken:
                assert talk is not None
                talk.cut()
                if kept is not None and not talk.answered:
                    self._idle.forget(target)  # it was lost while idle, which says nothing about the host
                    continue
                last = broken.trouble
                if broken.message is not None:
                    begun[broken.message] += 1
                    broke[broken.message] += ledger.settled == settled
                    ledger.note(broken.message, last)
                fruitless = 0 if ledger.settled > settled else fruitless + 1
                if fruitless >= FRUITLESS:
                    break
            except BaseException:
                if talk is not None:
                    talk.cut()
                raise
            else:
                if self._stopping:
                    talk.cut()
                self._idle.give(talk)
        return last
