"""Successful logins for the trace: one event for an account, client network, protocol and hour (docs/decisions/0081)."""

from collections import OrderedDict
from hashlib import blake2b
from uuid import UUID

from auth.login.attempts import Try
from auth.storage.events import Events
from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError
from mailkit.ids import id_floor
from mailkit.process.clock import Clock
from mailkit.process.report import report

#: Logins that this process has noted lately and does not note again; logins that wait to be stored.
MOST_KNOWN = 50_000
MOST_WAITING = 20_000
#: Logins stored by one statement.
BATCH = 1000
#: Seconds between two lists.
STORE_SECONDS = 1.0
_HOUR = 3600


class NotedLogins:
    """Logins that wait to be stored; beyond MOST_WAITING they are not noted."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._known: OrderedDict[UUID, None] = OrderedDict()
        self._waiting: list[tuple[object, ...]] = []

    def note(self, attempt: Try, answer: LoginAnswer, credential: str, grants: bool) -> None:
        """Note a login that was answered ok. `credential`: "" if it was the main password; `grants`: it opened OPEN-SMTP."""
        now = self._clock.now()
        client = attempt.login.client_address
        protocol = attempt.login.protocol
        network = attempt.network or client or ""
        key = _key(now.timestamp(), answer.mailbox_id, network, protocol, grants, credential)
        if key in self._known or len(self._waiting) >= MOST_WAITING:
            return
        self._known[key] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        grant = "grant" if grants else "no grant: a shared cloud" if attempt.rented else ""
        detail = ", ".join(part for part in (grant, credential) if part)
        number = max(0, -answer.credential_version)
        self._waiting.append((key, answer.mailbox_id, now, answer.address, client, protocol, detail, number))

    async def store(self) -> None:
        """Store what waits; keep it if the database does not answer."""
        while self._waiting:
            part = self._waiting[:BATCH]
            try:
                await self._events.note_logins(part)
            except PostriderError as error:
                report(error, "logins")
                return
            del self._waiting[: len(part)]


def _key(now: float, mailbox_id: UUID | None, network: str, protocol: str, grants: bool, credential: str) -> UUID:
    """Return the id of the event: equal for equal logins of an hour, whichever replica answers them; with the hour's time."""
    of = f"{mailbox_id} {network} {protocol} {grants}{credential}".encode()
    tail = int.from_bytes(blake2b(of, digest_size=10).digest(), "big")
    return UUID(int=id_floor(now - now % _HOUR).int | tail)
