"""Connections to remote hosts: as many as an address allows, by the TLS policy of the host, logged in where a route says so."""

import asyncio
import ipaddress

from queue_worker import metrics
from queue_worker.couriers import trouble
from queue_worker.couriers.addresses import Addresses
from queue_worker.couriers.conversation import Conversation
from queue_worker.couriers.models import CourierSettings
from queue_worker.couriers.opening import open_connection
from queue_worker.couriers.public import is_public
from queue_worker.couriers.submission import log_in
from queue_worker.couriers.targets import HostAddress
from queue_worker.couriers.trouble import Busy, Significance, Trouble
from queue_worker.tls.policy import OPPORTUNISTIC, TlsPolicy
from queue_worker.tls.results import INVALID, NO_STARTTLS, TlsCounts

#: Seconds that a conversation waits for others to get the first answer of its address.
BUSY_SECONDS = 1.0


class Connecting:
    """Opens connections. `addresses` is what is known of each address."""

    def __init__(self, settings: CourierSettings, results: TlsCounts) -> None:
        self._settings = settings
        self._results = results
        self.addresses = Addresses()
        self._changes: dict[str, asyncio.Event] = {}

    async def open(self, target: HostAddress, domain: str, tls_failed: Trouble | None) -> Conversation:
        """Return an open conversation with `target` for mail to `domain`, by opportunistic TLS if its policy fails and is only reported.

        Raises Trouble.
        """
        policy = target.policy
        talk = Conversation(self._settings.timeouts, target)
        try:
            await self._open(talk, tls_failed)
        except Trouble as found:
            if found.significance is Significance.tls:
                metrics.TLS.labels(policy.kind, "failed").inc()
                self._note(domain, policy, found.failure, talk)
            if not (policy.only_reported and found.significance is Significance.tls):
                raise
            talk = Conversation(self._settings.timeouts, target, OPPORTUNISTIC)
            await self._open(talk, tls_failed)
        else:
            unnamed = policy.only_reported and not policy.verifies
            self._note(domain, policy, INVALID if unnamed else "" if talk.tls else NO_STARTTLS, talk)
        secure = "verified" if talk.policy.authenticates else "encrypted"
        metrics.TLS.labels(talk.policy.kind, secure if talk.tls else "clear").inc()
        return talk

    def _note(self, domain: str, policy: TlsPolicy, failure: str, talk: Conversation) -> None:
        """Count a session; behind NAT our address tells its readers nothing."""
        source = talk.source if talk.source and is_public(ipaddress.ip_address(talk.source.partition("%")[0])) else ""
        self._results.note(domain, policy, failure, talk.host, talk.target.address, source)

    async def _open(self, talk: Conversation, tls_failed: Trouble | None) -> None:
        """Open `talk` when its address allows one more connection. Raises Trouble; Busy if it does not within BUSY_SECONDS."""
        address = talk.target.address
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                while not self.addresses.begin(address, asyncio.get_running_loop().time()):
                    await self._changes.setdefault(address, asyncio.Event()).wait()
        except TimeoutError:
            raise Busy("4.4.1", trouble.NO_CONNECTION) from None
        began = asyncio.get_running_loop().time()
        talk.times = self.addresses.patience(address, talk.times, began)
        try:
            await open_connection(talk, self._settings, tls_failed)
            await log_in(talk)
        except BaseException:
            talk.cut()
            raise
        finally:
            answered = True if talk.answered else False if talk.late else None
            self.addresses.end(address, answered, asyncio.get_running_loop().time())
            if (change := self._changes.pop(address, None)) is not None:
                change.set()
