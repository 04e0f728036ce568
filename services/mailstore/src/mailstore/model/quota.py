"""Quota of a mailbox: its limit, and what counts against it (decisions 5, 35). Pure."""

from dataclasses import dataclass
from typing import NamedTuple


class Quota(NamedTuple):
    """The limit of a mailbox in octets. Of two, the one with the higher version applies, whichever request brought it."""

    limit: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Charge:
    """Octets charged per message besides its size, limit of the messages in a mailbox (decision 35), and when to warn.

    The owner is warned at `warn_percent` of the quota, 0 for never, and again only after less than `warn_percent` - 10.
    """

    row_bytes: int = 1024
    most_messages: int = 1_000_000
    warn_percent: int = 0


@dataclass(slots=True)
class Account:
    """Usage and quota of a mailbox while its row is locked; `take` counts new messages. Empty: a mailbox not used yet."""

    usage: int = 0
    messages: int = 0
    quota: Quota = Quota()
    charge: Charge = Charge()
    added: int = 0
    new: int = 0
    warned: bool = False
    """Whether the owner was warned, and the usage has not been much less since (docs/decisions/0057)."""
    rearmed: bool = False
    """Whether this change found it much less, so that `warned` has ended."""

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

    def take(self, size: int, count: int = 1) -> None:
        """Count `count` new messages of `size` octets together."""
        if self.warned and not self._is_above(self.charge.warn_percent - 10):
            self.warned, self.rearmed = False, True
        self.added += size
        self.new += count

    def release(self, size: int, count: int = 1) -> None:
        """Count out `count` messages of `size` octets together, which this change removes."""
        self.added -= size
        self.new -= count

    @property
    def needs_warning(self) -> bool:
        """Whether the owner is to be warned now."""
        return not self.warned and self.charge.warn_percent > 0 and self._is_above(self.charge.warn_percent)

    def _is_above(self, percent: int) -> bool:
        return self.quota.limit > 0 and self.charged * 100 >= self.quota.limit * percent
