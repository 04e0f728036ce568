"""Is there room? The limit with the highest version decides, whoever brought it (decision 5). Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Account:
    """A mailbox's room while its row is locked; `take` counts."""

    usage: int
    limit: int
    version: int
    added: int = 0

    def learn(self, limit: int, version: int) -> None:
        """A login or a recipient brought this limit."""
        if version > self.version:
            self.limit, self.version = limit, version

    def fits(self, size: int) -> bool:
        return self.usage + self.added + size <= self.limit

    def take(self, size: int) -> None:
        self.added += size
