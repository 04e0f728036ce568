"""Where aggregate reports go: the addresses that a record names, and the consent of those elsewhere (RFC 9990 3, 4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mailauth.dmarc.record import is_dmarc, parse
from mailauth.dmarc.walk import Walks
from mailauth.dns import Dns, ascii_domain, query_name, texts

#: URIs of a record, and of a consent, that are used; further ones are ignored.
MOST_DESTINATIONS = 5

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LIMIT = re.compile(r"!(\d{1,12})([kmgt]?)$", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@dataclass(frozen=True, slots=True)
class ReportAddress:
    """An address that reports go to. `most`: octets of the largest one that it takes, None if it does not say."""

    address: str
    most: int | None = None

    @property
    def host(self) -> str | None:
        """The domain of the address, None if it is no name."""
        return ascii_domain(self.address.rpartition("@")[2])


def mail_address(uri: str) -> str | None:
    """Return the address of a mailto URI; None if it is of another scheme, or has several or a quoted one."""
    address = unquote(uri.partition(":")[2].partition("?")[0])
    return address if uri[:7].lower() == "mailto:" and _ADDRESS.fullmatch(address) else None


def destination(uri: str) -> ReportAddress | None:
    """Return the destination that a URI of rua names, with its limit ("!10m") if there is one; None if it is no address."""
    limit = _LIMIT.search(uri)
    address = mail_address(uri[: limit.start()] if limit else uri)
    most = int(limit[1]) << _UNITS[limit[2].lower()] if limit else None
    return ReportAddress(address, most) if address else None


def destinations(uris: Sequence[str]) -> list[ReportAddress]:
    """Return the destinations of the first MOST_DESTINATIONS URIs."""
    return [found for uri in uris[:MOST_DESTINATIONS] if (found := destination(uri))]


async def agreed(domain: str, wanted: ReportAddress, walks: Walks, resolver: Dns) -> list[ReportAddress]:
    """Return where reports about `domain`, which has the policy record, may be sent instead of `wanted`; [] if nowhere (4).

    That is `wanted` itself if it has the same organizational domain, or if its domain consents and names nothing else. At most 8
    questions for each of both domains, and one for the consent. Raises DnsTrouble.
    """
    host = wanted.host
    if host is None:
        return []
    if (await walks.walk(host)).organizational == (await walks.walk(domain)).organizational:
        return [wanted]
    name = query_name(f"{domain}._report._dmarc.{host}")
    answers = texts(await resolver.ask(name, "TXT")) if name else []
    consents = [parse(each) for each in answers if is_dmarc(each)]
    others = [uri for each in consents for uri in each.rua]
    if not others:
        return [wanted] if consents else []
    found = destinations(others)
    return found if all(each.host == host for each in found) else []
