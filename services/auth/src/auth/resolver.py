"""mailkit's resolver in the form that mailauth asks for."""

from collections.abc import Sequence

from mailauth.dns import Answer, DnsTrouble, Kind
from mailkit.net.dns import MX, NoRecord, NoSuchName, Resolver, TemporaryDnsError


class ZoneResolver:
    """A `mailauth.dns.Dns` without a cache: after a zone was repaired, the answer is the new one."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._resolver = Resolver(servers, entries=0)

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble."""
        try:
            found = await self._resolver.lookup(name, kind)
        except NoSuchName:
            return Answer(exists=False)
        except NoRecord:
            return Answer()
        except TemporaryDnsError as error:
            raise DnsTrouble(str(error)) from None
        return Answer(tuple(each.host if isinstance(each, MX) else _without_dot(each) for each in found))


def _without_dot(record: str | bytes) -> str | bytes:
    return record.removesuffix(".") if isinstance(record, str) else record
