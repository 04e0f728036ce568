"""SPF, DKIM, ARC and DMARC of one message, by mailauth."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mailauth.arc import chain
from mailauth.arc.chain import ArcResult
from mailauth.dkim import verify
from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.author import BadAuthor, author_domain, authors
from mailauth.dmarc.evaluate import DmarcResult, evaluate, identifiers
from mailauth.dns import Dns, Kind
from mailauth.header import fields
from mailauth.spf.check import SpfResult, check_host
from mailkit.mail.header import Header

T = TypeVar("T")

#: Domains in From that are judged; a message with more is a permanent error.
MOST_AUTHORS = 4


class CachedDns(Dns, Protocol):
    """A resolver that says what it knows without a question, and with a deadline."""

    def part(self) -> "CachedDns":
        """Return a resolver for a part that begins now, with a deadline of its own: others may have waited to the end of theirs."""

    def knows(self, name: str, kind: Kind) -> bool:
        """Return whether the answer is in the cache."""


@dataclass(frozen=True, slots=True)
class MessageEnvelope:
    """What is known of a message beside its octets. `client`: the address, None if unknown; `receiver`: our name."""

    client: str | None
    helo: str
    mail_from: str
    receiver: str


@dataclass(frozen=True, slots=True)
class Examined:
    """The results. `spf`: of MAIL FROM; `helo`: of HELO; None without a client's address. `dmarc`: one for each domain in From."""

    spf: SpfResult | None
    helo: SpfResult | None
    dkim: Sequence[DkimResult]
    arc: ArcResult
    dmarc: Sequence[DmarcResult]


async def examine(
    envelope: MessageEnvelope, header: bytes, body: bytes, resolver: CachedDns, now: float, *, every: bool = False
) -> Examined:
    """Return the results for a message, its header and body as they came. `now`: seconds since 1970.

    `every`: look for the alignment of SPF and of DKIM where one is enough for DMARC.
    """
    names = header.lower()
    sender = envelope.mail_from
    by_domain = _spf(envelope, sender, resolver.part(), now) if sender else _value(None)
    by_helo = _spf(envelope, "", resolver.part(), now)
    signed, sealed = b"dkim-signature" in names, b"arc-" in names
    signatures = verify.verify(header, [body], resolver.part(), now=now) if signed else _value([])
    seals = chain.verify(header, [body], resolver.part(), now=now) if sealed else _value(ArcResult("none"))
    if resolver.knows(sender.rpartition("@")[2], "TXT"):  # then most are, and tasks cost more than they save
        spf, helo, dkim, arc = await by_domain, await by_helo, await signatures, await seals
    else:
        spf, helo, dkim, arc = await asyncio.gather(by_domain, by_helo, signatures, seals)
    found = identifiers(spf or helo, dkim)
    domains, problem = author_domains(b"".join(b"From:%b\r\n" % each for each in Header(header).values(b"from")))
    judged = [evaluate(domain, found, resolver.part(), every=every) for domain in domains]
    dmarc = [await each for each in judged] if len(judged) < 2 else [*await asyncio.gather(*judged)]
    if problem:
        dmarc.append(DmarcResult("permerror", "", problem=problem))
    return Examined(spf, helo, dkim, arc, dmarc)


def author_domains(header: bytes) -> tuple[list[str], str]:
    """Return the domains in the From fields of `header`, and why they are not all that a reader of the message could see; "" if they are.

    A message without a From field, or without an "@" in it, has none, and nothing is wrong.
    """
    try:
        header.decode()
    except UnicodeDecodeError:
        header = header.decode("latin-1").encode()  # a display name in an old character set
    try:
        return [author_domain(header)], ""
    except BadAuthor as error:
        addresses, whole = authors(header)
        domains = list(dict.fromkeys(each.rpartition("@")[2] for each in addresses))
        if whole and len(domains) <= MOST_AUTHORS:
            return domains, ""
        absent = not any(b"@" in each.value for each in fields(header) if each.name == b"from")
        return domains[:MOST_AUTHORS], "" if absent else str(error)


async def _spf(envelope: MessageEnvelope, mail_from: str, resolver: Dns, now: float) -> SpfResult | None:
    if envelope.client is None:
        return None
    return await check_host(envelope.client, mail_from, envelope.helo, resolver, now=now, receiver=envelope.receiver)


async def _value(result: T) -> T:
    return result
