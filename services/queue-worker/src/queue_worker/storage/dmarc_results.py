"""Mail from outside by day, policy domain, source and results, until it is reported (RFC 9990; docs/decisions/0092)."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
import msgspec

from mailkit.postgres.pool import Queries
from mailkit.process.clock import Clock
from queue_worker import metrics
from queue_worker_api.wire import DkimCount, DmarcCount

queries = Queries("queue_worker.storage", "dmarc_results.sql")

#: Most rows, and most of one domain and day; what is above the first is not counted, above the second as left out.
MOST, MOST_OF_DOMAIN = 200_000, 2_000
#: The key of the row that counts what was left out of a domain and day.
LEFT_OUT = UUID(int=0)


class DmarcFacts(msgspec.Struct, frozen=True):
    """What messages have in common that one record of a report is about; domains are texts of strangers."""

    source: str
    disposition: str
    reason: str
    dkim: bool
    spf: bool
    header_from: str
    envelope_from: str
    envelope_to: str
    spf_domain: str
    spf_result: str
    signatures: tuple[tuple[str, str, str], ...]
    """Domain, selector and result of each."""

    @classmethod
    def of(cls, c: DmarcCount, source: str, envelope_to: str) -> "DmarcFacts":
        """Return the facts of a message from the address `source` to recipients at `envelope_to`, "" if at several domains."""
        return cls(
            source,
            c.disposition,
            c.reason,
            c.dkim,
            c.spf,
            c.header_from,
            c.envelope_from,
            envelope_to,
            c.spf_domain,
            c.spf_result,
            tuple(map(_signature, c.signatures)),
        )


@dataclass(frozen=True, slots=True)
class DmarcRow:
    """A row: `facts` is the JSON of DmarcFacts, in which every control character is escaped, and `key` its hash."""

    day: date
    domain: str
    key: UUID
    facts: str
    policy: str


@dataclass(frozen=True, slots=True)
class DmarcDay:
    """A domain and day. `policy`: the one that was seen last; `left_out`: messages that no record tells of."""

    policy: str
    records: Sequence[tuple[DmarcFacts, int]]
    left_out: int


class DmarcResults:
    """The statements of `dmarc_results.sql`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def add(self, counted: Counter[DmarcRow]) -> None:
        """Add counts to those that are there, as far as the bounds allow."""
        merged: dict[tuple[date, str, UUID], tuple[DmarcRow, int]] = {}
        for each, times in counted.items():
            place = (each.day, each.domain, each.key)
            merged[place] = (each, times + merged[place][1] if place in merged else times)
        # one order in all transactions: no deadlock
        rows = [
            (r.day, r.domain, r.key, r.facts, r.policy, times) for _, (r, times) in sorted(merged.items(), key=_place)
        ]
        columns = map(list, zip(*rows, strict=True))
        left_out = await self._pool.fetchval(queries.add, *columns, self._now(), LEFT_OUT, MOST_OF_DOMAIN, MOST)
        metrics.DMARC_LEFT_OUT.inc(left_out)

    async def finished(self, today: date, after: tuple[date, str], limit: int) -> Sequence[tuple[date, str]]:
        """Return days before `today` and domains with rows, in this order, behind `after`."""
        rows = await self._pool.fetch(queries.finished, today, *after, limit)
        return [(row["day"], row["domain"]) for row in rows]

    async def of(self, day: date, domain: str) -> DmarcDay | None:
        """Return a domain and day, None if there are no records."""
        rows = await self._pool.fetch(queries.of_domain, day, domain, MOST_OF_DOMAIN + 1)
        told = [each for each in rows if each["key"] != LEFT_OUT]
        if not told:
            return None
        latest = max(told, key=lambda each: each["seen"])
        records = [(msgspec.json.decode(each["facts"], type=DmarcFacts), each["messages"]) for each in told]
        return DmarcDay(latest["policy"], records, sum(r["messages"] for r in rows if r["key"] == LEFT_OUT))

    async def remove(self, day: date, domain: str) -> None:
        """Forget a domain and day."""
        await self._pool.execute(queries.remove, day, domain)

    def _now(self) -> datetime:
        return self._clock.now()


def row(day: date, domain: str, policy: str, facts: DmarcFacts) -> DmarcRow:
    """Return the row that counts `facts`."""
    text = msgspec.json.encode(facts)
    return DmarcRow(day, domain, UUID(bytes=hashlib.sha256(text).digest()[:16]), text.decode(), policy)


def _signature(each: DkimCount) -> tuple[str, str, str]:
    return each.domain, each.selector, each.result


def _place(item: tuple[tuple[date, str, UUID], object]) -> tuple[date, str, UUID]:
    return item[0]
