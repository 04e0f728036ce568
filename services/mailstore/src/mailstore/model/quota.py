"""Quota of a mailbox: its limit, and what counts against it (decisions 5, 35). Pure."""

from dataclasses import dataclass
from typing import NamedTuple


class Quota(NamedTuple):
    """The limit of a mailbox in octets. Of two, the one with the higher version applies, whichever request brought it."""

    limit: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """Octets charged per message besides its size, and limit of the messages in a mailbox (decision 35)."""

    row_bytes: int = 1024
    most_messages: int = 1_000_000


@dataclass(slots=True)
class Account:
    """Usage and quota of a mailbox while its row is locked; `take` counts new messages. Empty: a mailbox not used yet."""

    usage: int = 0
    messages: int = 0
    quota: Quota = Quota()
    charge: Charge = Charge()
    added: int = 0
    new: int = 0

    @property
    def charged(self) -> int:
        """Octets of the messages and those charged for their rows."""
        return self.usage + self.added + (self.messages + self.new) * self.charge.row_bytes

    def learn(self, quota: Quota) -> None:
        """Apply a quota that a login or a recipient brought, if its version is higher."""
        if quota.version > self.quota.version:
            self.quota = quota

    def lacks(self, size: int, count: int = 1) -> str:
        """Return the limit that `count` messages of `size` octets in all exceed: `octets`, `messages`, or empty if they fit."""
        if self.messages + self.new + count > self.charge.most_messages:
            return "messages"
        return "octets" if self.charged + size + count * self.charge.row_bytes > self.quota.limit else ""

    def fits(self, size: int, count: int = 1) -> bool:
        """Return whether `count` messages of `size` octets together fit."""
        return not self.lacks(size, count)

    def never_fits(self, size: int) -> bool:
        """Return whether one message of `size` octets exceeds the quota of an empty mailbox."""
        return size + self.charge.row_bytes > self.quota.limit

    def take(self, size: int) -> None:
        """Count a new message."""
        self.added += size
        self.new += 1
