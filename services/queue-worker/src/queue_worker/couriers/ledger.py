"""The recipients of a group that still wait for an outcome. Each is reported exactly once, whatever fails."""

from collections.abc import Callable, Iterable, Sequence

from queue_worker.couriers import trouble
from queue_worker.couriers.models import Outcome, RemoteMessage, RemoteRecipient, Report
from queue_worker.couriers.trouble import Trouble


class Ledger:
    """The open recipients of one group, by message, in order."""

    def __init__(self, messages: Sequence[RemoteMessage], report: Report) -> None:
        self._report = report
        self._open = {id(m): (m, {id(r): r for r in m.recipients}) for m in messages if m.recipients}
        self._dotted: dict[int, tuple[str, list[RemoteRecipient]]] = {}
        self._troubles: dict[int, Trouble] = {}
        self.settled = 0
        """Recipients reported so far."""

    def __bool__(self) -> bool:
        return bool(self._open)

    def messages(self) -> list[RemoteMessage]:
        """Return the messages that have open recipients."""
        return [message for message, _ in self._open.values()]

    def recipients(self, message: RemoteMessage) -> list[RemoteRecipient]:
        """Return the open recipients of `message`."""
        entry = self._open.get(id(message))
        return list(entry[1].values()) if entry is not None else []

    def tell(self, message: RemoteMessage, found: Iterable[tuple[RemoteRecipient, Outcome]]) -> None:
        """Report the outcomes in `found`; recipients that were reported before are skipped."""
        entry = self._open.get(id(message))
        if entry is None:
            return
        waiting = entry[1]
        outcomes = [outcome for recipient, outcome in found if waiting.pop(id(recipient), None) is not None]
        self._dotted.pop(id(message), None)
        if not waiting:
            del self._open[id(message)]
        self.settled += len(outcomes)
        if outcomes:
            self._report(outcomes)

    def dot(self, message: RemoteMessage, host: str, accepted: list[RemoteRecipient]) -> None:
        """Note that the final dot is sent now: until `tell`, `message` is in doubt for the `accepted` recipients."""
        self._dotted[id(message)] = (host, accepted)

    def undot(self, message: RemoteMessage) -> None:
        """Note that the dot could not be written after all."""
        self._dotted.pop(id(message), None)

    @property
    def dots(self) -> bool:
        """Whether any final dot waits for its reply."""
        return bool(self._dotted)

    def note(self, message: RemoteMessage, found: Trouble) -> None:
        """Note what stopped `message` at one host; the most significant trouble is reported if no other host takes it."""
        self._troubles[id(message)] = trouble.worse(self._troubles.get(id(message)), found)

    def close_deferred(self, found: Trouble) -> None:
        """Report all open recipients: in doubt after a dot, else deferred.

        The reason is what was noted for the message or `found`, whichever is more significant.
        """
        for message in self.messages():
            self._doubt(message, found.text)
            noted = self._troubles.get(id(message))
            why = trouble.worse(found, noted) if noted is not None else found
            self.tell(message, [(r, trouble.deferred(r, why)) for r in self.recipients(message)])

    def close_returned(self, why: str, make: Callable[[RemoteRecipient], Outcome] = trouble.returned) -> None:
        """Report all open recipients: in doubt after a dot, else as `make` says."""
        for message in self.messages():
            self._doubt(message, why)
            self.tell(message, [(r, make(r)) for r in self.recipients(message)])

    def close_all(self, make: Callable[[RemoteRecipient], Outcome]) -> None:
        """Report all open recipients as `make` says."""
        for message in self.messages():
            self.tell(message, [(r, make(r)) for r in self.recipients(message)])

    def _doubt(self, message: RemoteMessage, why: str) -> None:
        host, accepted = self._dotted.get(id(message), ("", []))
        self.tell(message, [(r, trouble.in_doubt(r, host, why)) for r in accepted])
