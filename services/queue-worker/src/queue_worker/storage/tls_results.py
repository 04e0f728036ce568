"""Results of TLS sessions by day and domain, until they are reported (RFC 8460; docs/decisions/0098)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import asyncpg

from mailkit.postgres.pool import Queries

queries = Queries("queue_worker.storage", "tls_results.sql")

#: Most rows; further results are not counted.
MOST = 200_000
#: Most rows of a domain and day that a report is made of.
MOST_OF_DOMAIN = 5_000


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What sessions have in common that are counted together. `failure`: "" of successful ones."""

    day: date
    domain: str
    policy: str
    record: str
    failure: str
    host: str
    address: str
    strings: str = ""
    """The policy as published, and in `mx` its patterns, one a line."""
    mx: str = ""
    source: str = ""
    """Our address, if it is a public one; of sessions that are alike otherwise, one is kept."""


class TlsResults:
    """The statements of `tls_results.sql`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def add(self, counted: Counter[TlsSession]) -> None:
        """Add counts to those that are there."""
        rows: dict[tuple[object, ...], tuple[TlsSession, int]] = {}
        for item in sorted(counted.items(), key=_key):
            alike = rows.get(_key(item))
            rows[_key(item)] = item[0], item[1] + (alike[1] if alike else 0)
        columns = zip(*((*_facts(session), count) for session, count in rows.values()), strict=True)
        await self._pool.execute(queries.add, *map(list, columns), MOST)

    async def finished(self, today: date, after: tuple[date, str], limit: int) -> Sequence[tuple[date, str]]:
        """Return days before `today` and domains with results, in this order, behind `after`."""
        rows = await self._pool.fetch(queries.finished, today, *after, limit)
        return [(row["day"], row["domain"]) for row in rows]

    async def of(self, day: date, domain: str) -> list[tuple[TlsSession, int]]:
        """Return the results of a domain and day."""
        rows = [dict(row) for row in await self._pool.fetch(queries.of_domain, day, domain, MOST_OF_DOMAIN)]
        return [(TlsSession(**row), count) for row in rows if (count := row.pop("sessions"))]

    async def remove(self, day: date, domain: str) -> None:
        """Forget the results of a domain and day."""
        await self._pool.execute(queries.remove, day, domain)


def _facts(s: TlsSession) -> tuple[object, ...]:
    return s.day, s.domain, s.policy, s.record, s.failure, s.host, s.address, s.strings, s.mx, s.source


def _key(item: tuple[TlsSession, int]) -> tuple[object, ...]:
    """Return what rows are locked in the order of, so that two workers do not wait for each other."""
    return _facts(item[0])[:7]
