"""Is there room? The limit with the highest version decides, whoever brought it (decision 5). Pure."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Charge:
    """What a message costs besides its octets, and how many messages a mailbox may hold (decision 0035)."""

    row_bytes: int = 1024
    most_messages: int = 1_000_000


@dataclass(slots=True)
class Account:
    """A mailbox's room while its row is locked; `take` counts."""

    usage: int
    limit: int
    version: int
    messages: int = 0
    charge: Charge = Charge()
    added: int = 0
    new: int = 0

    @classmethod
    def of(cls, row: Any, charge: Charge) -> "Account":
        """The account of a mailbox's row; None is a mailbox that was not used yet."""
        if row is None:
            return cls(0, 0, 0, 0, charge)
        return cls(row["usage"], row["quota_limit"], row["limit_version"], row["messages"], charge)

    @property
    def charged(self) -> int:
        """Octets, and those of the messages' rows."""
        return self.usage + self.added + (self.messages + self.new) * self.charge.row_bytes

    def learn(self, limit: int, version: int) -> None:
        """A login or a recipient brought this limit."""
        if version > self.version:
            self.limit, self.version = limit, version

    def lacks(self, size: int, count: int = 1) -> str:
        """What `count` messages of `size` octets together do not fit: `octets`, `messages`; empty: they fit."""
        if self.messages + self.new + count > self.charge.most_messages:
            return "messages"
        return "octets" if self.charged + size + count * self.charge.row_bytes > self.limit else ""

    def fits(self, size: int, count: int = 1) -> bool:
        """Do `count` messages of `size` octets together fit the quota?"""
        return not self.lacks(size, count)

    def never_fits(self, size: int) -> bool:
        """One message that an empty mailbox would not take."""
        return size + self.charge.row_bytes > self.limit

    def take(self, size: int) -> None:
        """Count a message that goes in."""
        self.added += size
        self.new += 1
