"""Quota of a mailbox. The limit with the highest version applies, whichever request brought it (decision 5). Pure."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Charge:
    """Octets charged per message besides its size, and limit of the messages in a mailbox (decision 0035)."""

    row_bytes: int = 1024
    most_messages: int = 1_000_000


@dataclass(slots=True)
class Account:
    """Usage and limits of a mailbox while its row is locked; `take` counts new messages."""

    usage: int
    limit: int
    version: int
    messages: int = 0
    charge: Charge = Charge()
    added: int = 0
    new: int = 0

    @classmethod
    def of(cls, row: Any, charge: Charge) -> "Account":
        """Return the account of a mailbox's row; None stands for a mailbox that was not used yet."""
        if row is None:
            return cls(0, 0, 0, 0, charge)
        return cls(row["usage"], row["quota_limit"], row["limit_version"], row["messages"], charge)

    @property
    def charged(self) -> int:
        """Octets of the messages and those charged for their rows."""
        return self.usage + self.added + (self.messages + self.new) * self.charge.row_bytes

    def learn(self, limit: int, version: int) -> None:
        """Apply a limit that a login or a recipient brought, if its version is higher."""
        if version > self.version:
            self.limit, self.version = limit, version

    def lacks(self, size: int, count: int = 1) -> str:
        """Return the limit that `count` messages of `size` octets in all exceed: `octets`, `messages`, or empty if they fit."""
        if self.messages + self.new + count > self.charge.most_messages:
            return "messages"
        return "octets" if self.charged + size + count * self.charge.row_bytes > self.limit else ""

    def fits(self, size: int, count: int = 1) -> bool:
        """Return whether `count` messages of `size` octets together fit."""
        return not self.lacks(size, count)

    def never_fits(self, size: int) -> bool:
        """Return whether one message of `size` octets exceeds the quota of an empty mailbox."""
        return size + self.charge.row_bytes > self.limit

    def take(self, size: int) -> None:
        """Count a new message."""
        self.added += size
        self.new += 1
