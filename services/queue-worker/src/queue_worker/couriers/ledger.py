"""The recipients of a group that still wait for a result. Each is reported exactly once, whatever fails."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from queue_worker.couriers import trouble
from queue_worker.couriers.models import RemoteMessage, Report
from queue_worker.couriers.trouble import Trouble
from queue_worker.models import Claim, Result


class Ledger:
    """The open recipients of one group, by message, in order."""

    def __init__(self, messages: Sequence[RemoteMessage], report: Report, domain: str = "") -> None:
        self.domain = domain
        self._report = report
        self._open = {m: {r: r for r in m.recipients} for m in messages if m.recipients}
        self._dotted: dict[RemoteMessage, tuple[str, list[Claim]]] = {}
        self._troubles: dict[RemoteMessage, Trouble] = {}
        self.tls = messages[0].tls if messages else ""
        """What the senders of the group ask about TLS."""
        self.connections: dict[str, str] = {}
        """By host, the connection that was made last; results name it."""
        self.settled = 0
        """Recipients reported so far."""

    def __bool__(self) -> bool:
        return bool(self._open)

    def messages(self) -> list[RemoteMessage]:
        """Return the messages that have open recipients."""
        return list(self._open)

    def recipients(self, message: RemoteMessage) -> list[Claim]:
        """Return the open recipients of `message`."""
        return list(self._open.get(message, ()))

    def report(self, message: RemoteMessage, results: Iterable[Result]) -> None:
        """Report `results`; those of recipients that were reported before are skipped."""
        waiting = self._open.get(message)
        if waiting is None:
            return
        new = [result for result in results if waiting.pop(result.claim, None) is not None]
        self._dotted.pop(message, None)
        if not waiting:
            del self._open[message]
        self.settled += len(new)
        if new:
            known = self.connections
            self._report([replace(r, connection=known[r.remote_host]) if r.remote_host in known else r for r in new])

    def dot(self, message: RemoteMessage, host: str, accepted: list[Claim]) -> None:
        """Note that the final dot is sent now: until `report`, `message` is in doubt for the `accepted` recipients."""
        self._dotted[message] = (host, accepted)

    def undot(self, message: RemoteMessage) -> None:
        """Note that the dot could not be written after all."""
        self._dotted.pop(message, None)

    @property
    def dots(self) -> bool:
        """Whether any final dot waits for its reply."""
        return bool(self._dotted)

    def note(self, message: RemoteMessage, found: Trouble) -> None:
        """Note what stopped `message` at one host; the most significant trouble is reported if no other host takes it."""
        self._troubles[message] = trouble.worse(self._troubles.get(message), found)

    def close_deferred(self, found: Trouble) -> None:
        """Report all open recipients: in doubt after a dot, else deferred.

        The reason is what was noted for the message or `found`, whichever is more significant.
        """
        for message in self.messages():
            self._doubt(message, found.text)
            noted = self._troubles.get(message)
            why = trouble.worse(found, noted) if noted is not None else found
            self.report(message, [trouble.deferred(r, why) for r in self.recipients(message)])

    def close_returned(self, why: str, make: Callable[[Claim], Result] = trouble.returned) -> None:
        """Report all open recipients: in doubt after a dot, else as `make` says."""
        for message in self.messages():
            self._doubt(message, why)
            self.report(message, [make(r) for r in self.recipients(message)])

    def close_all(self, make: Callable[[Claim], Result]) -> None:
        """Report all open recipients as `make` says."""
        for message in self.messages():
            self.report(message, [make(r) for r in self.recipients(message)])

    def _doubt(self, message: RemoteMessage, why: str) -> None:
        host, accepted = self._dotted.get(message, ("", []))
        self.report(message, [trouble.in_doubt(r, host, why) for r in accepted])
