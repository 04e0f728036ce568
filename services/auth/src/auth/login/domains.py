"""What is known of domains for a moment: whether they are aliases, and their plan's limits (docs/decisions/0108 and 0114)."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from auth.limits import PlanLimits, limits_of
from auth.storage.directory import Directory

#: How long a domain is known (seconds): a change is in force within 5 s (docs/contract.md).
KNOWN_SECONDS = 2.0
MOST_KNOWN = 20_000


@dataclass(frozen=True, slots=True)
class KnownDomain:
    """`alias_of`: the domain whose alias it is. `limits`: those of its customer's plan, of an alias those of that domain."""

    alias_of: str | None
    limits: PlanLimits


class KnownDomains:
    """Remembers what is asked of domains, so that a list of questions costs a statement every KNOWN_SECONDS at most for each."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[str, tuple[float, KnownDomain]] = {}

    async def of(self, domains: Iterable[str]) -> dict[str, KnownDomain]:
        """Return what is known of each domain; one that is not here has no limits. Raises Unavailable."""
        now = time.monotonic()
        found: dict[str, KnownDomain] = {}
        asked: list[str] = []
        for domain in set(domains):
            until, known = self._known.get(domain, (0.0, _NOTHING))
            if until < now:
                asked.append(domain)
            else:
                found[domain] = known
        if asked:
            rows = {row["name"]: row for row in await self._directory.domains(asked)}
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            for domain in asked:
                row = rows.get(domain)
                known = _NOTHING if row is None else KnownDomain(row["alias_of"], limits_of(row["limits"]))
                found[domain] = known
                self._known[domain] = now + KNOWN_SECONDS, known
        return found


_NOTHING = KnownDomain(None, limits_of(None))
