"""Where the reports of a policy domain go: the addresses in its record, as far as those elsewhere agree (RFC 9990 3, 4)."""

import asyncio

from mailauth.dmarc.reports import MOST_DESTINATIONS, ReportAddress, agreed, destinations
from mailauth.dmarc.walk import Walks
from mailauth.dns import Answer, DnsTrouble, Kind
from mailkit.net.dns import NoRecord, NoSuchName, Resolver, TemporaryDnsError

#: Seconds that all questions about one domain may take.
SECONDS = 60.0


class DmarcReportTo:
    """Looks the addresses up."""

    def __init__(self, resolver: Resolver, *, seconds: float = SECONDS) -> None:
        self._dns = _Dns(resolver)
        self._seconds = seconds

    async def places(self, domain: str) -> list[ReportAddress] | None:
        """Return the addresses; none if the domain wants no reports, None if that cannot be looked up now.

        One that cannot be looked up is left out if there are others.
        """
        walks, found = Walks(self._dns), dict[str, ReportAddress]()
        unknown = False
        try:
            async with asyncio.timeout(self._seconds):
                record = await walks.record(domain)
                for wanted in destinations(record.rua) if record else ():
                    try:
                        found |= {each.address: each for each in await agreed(domain, wanted, walks, self._dns)}
                    except DnsTrouble:
                        unknown = True
        except (DnsTrouble, TimeoutError):
            unknown = True
        return None if unknown and not found else list(found.values())[:MOST_DESTINATIONS]


class _Dns:
    """mailkit's resolver in the form that mailauth asks for; here, about TXT records only."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        try:
            return Answer(await self._resolver.verbatim(name, kind))
        except NoSuchName:
            return Answer(exists=False)
        except NoRecord:
            return Answer()
        except TemporaryDnsError as error:
            raise DnsTrouble(str(error)) from None
