"""The questions that an SPF check asks, within its limits (RFC 7208 4.6.4)."""

import ipaddress
from collections.abc import Sequence

from mailauth.dns import Answer, Dns, DnsTrouble, Kind, is_within, names, query_name
from mailauth.spf.macros import IPAddress

#: Terms that ask the DNS, answers without a record, and names of one MX or PTR answer that are looked up.
MOST_TERMS, MOST_VOID, MOST_NAMES = 10, 2, 10
#: Addresses of one name that are looked at: an answer may have 4,000, and a record name a hundred such names.
MOST_ADDRESSES = 256


class TooMany(Exception):
    """A limit was passed, which is a permerror; the message says which."""


class Lookups:
    """The questions of one check about a client. At most 121 of any record: the domain's own, ten terms with eleven each."""

    def __init__(self, resolver: Dns, ip: IPAddress) -> None:
        self._resolver = resolver
        self._ip = ip
        self._terms = self._void = 0
        self._validated: list[str] | None = None

    def count_term(self) -> None:
        """Count a term that asks the DNS. Raises TooMany."""
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise TooMany(f"more than {MOST_TERMS} terms that ask the DNS")

    async def ask(self, name: str, kind: Kind, *, void: bool = True) -> Answer:
        """Ask one question, unless `name` is no name: then there is no record. `void`: count an answer without records.

        Raises DnsTrouble and TooMany.
        """
        asked = query_name(name)
        if asked is None:
            return Answer()
        answer = await self._resolver.ask(asked, kind)
        if void and not answer.records:
            self._void += 1
            if self._void > MOST_VOID:
                raise TooMany(f"more than {MOST_VOID} questions without an answer")
        return answer

    async def addresses(self, name: str, *, void: bool = True) -> list[IPAddress]:
        """Return the first MOST_ADDRESSES of `name` in the client's family. Raises DnsTrouble and TooMany."""
        answer = await self.ask(name, "A" if self._ip.version == 4 else "AAAA", void=void)
        return [found for each in names(answer)[:MOST_ADDRESSES] if (found := _address(each)) is not None]

    async def mail_hosts(self, name: str) -> list[str]:
        """Return the names of MX records. Raises DnsTrouble and TooMany."""
        hosts = names(await self.ask(name, "MX"))
        if len(hosts) > MOST_NAMES:
            raise TooMany(f"more than {MOST_NAMES} MX records of {name}")
        return hosts

    async def validated_names(self) -> Sequence[str]:
        """Return the client's names that have its address, in lower case (RFC 7208 5.5); trouble of the DNS leaves them out.

        Neither counted as void, as the domain's owner cannot know them, nor asked for twice.
        """
        if self._validated is None:
            self._validated = []
            try:
                found = names(await self.ask(self._ip.reverse_pointer, "PTR", void=False))
            except DnsTrouble:
                found = []
            for name in found[:MOST_NAMES]:
                try:
                    if self._ip in await self.addresses(name, void=False):
                        self._validated.append(name.lower().removesuffix("."))
                except DnsTrouble:
                    continue
        return self._validated

    async def validated_name(self, domain: str) -> str:
        """Return the value of the macro `p`: `domain`, else a name below it, else any, else "unknown" (RFC 7208 7.3)."""
        found = await self.validated_names()
        below = (each for each in found if is_within(each, domain))
        return domain if domain in found else next(below, found[0] if found else "unknown")


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
