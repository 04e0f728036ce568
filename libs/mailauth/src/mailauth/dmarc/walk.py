"""The DNS tree walk: from a domain to its organizational domain (RFC 9989 4.10)."""

from dataclasses import dataclass

from mailauth.dmarc import record
from mailauth.dmarc.record import DmarcRecord
from mailauth.dns import Dns, query_name, texts

#: Queries of one walk at most.
MOST_QUERIES = 8


@dataclass(frozen=True, slots=True)
class TreeWalk:
    """The records found on the way up from `domain`, the one with the longest name first."""

    domain: str
    found: tuple[tuple[str, DmarcRecord], ...]

    @property
    def organizational(self) -> str:
        """The organizational domain (4.10.2)."""
        for name, each in self.found:
            if each.psd == "n":
                return name
            if each.psd == "y" and name != self.domain:
                return _below(self.domain, name)
        return self.found[-1][0] if self.found else self.domain

    @property
    def applied(self) -> tuple[str, DmarcRecord] | None:
        """The record that applies to mail from `domain`: its own, its organizational domain's or its suffix's (4.10.1)."""
        by_name = dict(self.found)
        for name in (self.domain, self.organizational):
            if name in by_name:
                return name, by_name[name]
        return next(((name, each) for name, each in self.found if each.psd == "y"), None)


def targets(domain: str) -> list[str]:
    """Return the names that a walk from `domain` asks about, in its order: at most MOST_QUERIES (4.10, steps 3, 4 and 7)."""
    labels = domain.split(".")
    parents = min(len(labels) - 1, MOST_QUERIES - 1)
    return [domain, *(".".join(labels[-n:]) for n in range(parents, 0, -1))]


class Walks:
    """The walks of one message. A name is asked about once, whichever walks come by it."""

    def __init__(self, resolver: Dns) -> None:
        self._resolver = resolver
        self._records: dict[str, DmarcRecord | None] = {}

    async def record(self, domain: str) -> DmarcRecord | None:
        """Return the record of `domain`; None if there is none, or several (4.10, step 2). Raises DnsTrouble."""
        if domain not in self._records:
            asked = query_name(f"_dmarc.{domain}")
            found = texts(await self._resolver.ask(asked, "TXT")) if asked else []
            found = [each for each in found if record.is_dmarc(each)]
            self._records[domain] = record.parse(found[0]) if len(found) == 1 else None
        return self._records[domain]

    async def walk(self, domain: str) -> TreeWalk:
        """TreeWalk from `domain` up, to a record with psd=y or psd=n or to the top. Raises DnsTrouble."""
        found: list[tuple[str, DmarcRecord]] = []
        for name in targets(domain):
            held = await self.record(name)
            if held is not None:
                found.append((name, held))
                if held.psd != "u":
                    break
        return TreeWalk(domain, tuple(found))


def _below(domain: str, ancestor: str) -> str:
    """Return the domain one label below `ancestor`, on the way to `domain`."""
    return ".".join(domain.split(".")[-(ancestor.count(".") + 2) :])
