"""What the library asks of the DNS: a protocol that the caller implements, and names in the form in which they are asked."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import idna

Kind = Literal["A", "AAAA", "CNAME", "MX", "PTR", "SRV", "TXT"]

#: Limits of a domain name (RFC 1035 2.3.4), in octets of its text without the dot at the end.
LONGEST_NAME, LONGEST_LABEL = 253, 63


#: Names whose form is remembered.
MOST_KNOWN = 4096


class DnsTrouble(Exception):
    """The DNS gave no answer for now: a timeout, SERVFAIL, or any other error but NXDOMAIN."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The records of one question.

    `records`: addresses as text, names without the dot at the end (MX: in any order; "" in a null MX), SRV records as
    "priority weight port target", or the octets of TXT records with the strings of each joined. `exists`: False after NXDOMAIN.
    """

    records: tuple[str | bytes, ...] = ()
    exists: bool = True


class Dns(Protocol):
    """A resolver, which follows CNAMEs unless they are asked for. It is cancelled when its answer is too late."""

    async def ask(self, name: str, kind: Kind) -> Answer:
        """Return the records of `name`. Raises DnsTrouble.

        `name` is in ASCII without the dot at the end. Its labels may have any printable character but the dot: a backslash
        or a quotation mark in it is no escape.
        """


def texts(answer: Answer) -> list[bytes]:
    """Return the TXT records of an answer."""
    return [each for each in answer.records if isinstance(each, bytes)]


def names(answer: Answer) -> list[str]:
    """Return the names or addresses of an answer."""
    return [each for each in answer.records if isinstance(each, str)]


def query_name(text: str) -> str | None:
    """Return `text` as a name that may be asked for, without the dot at the end; None if it is none."""
    return _query_name(text.removesuffix(".")) if len(text) <= LONGEST_NAME + 1 else None


@lru_cache(maxsize=MOST_KNOWN)
def _query_name(name: str) -> str | None:
    if len(name) > LONGEST_NAME or not (name.isascii() and name.isprintable()):
        return None
    return name if all(0 < len(label) <= LONGEST_LABEL for label in name.split(".")) else None


def ascii_domain(text: str) -> str | None:
    """Return a domain in lower case as A-labels (RFC 8616), without the dot at the end; None if it is no name."""
    return _ascii_domain(text) if len(text) <= LONGEST_NAME + 1 else None  # U-labels are shorter than their A-labels


@lru_cache(maxsize=MOST_KNOWN)
def _ascii_domain(text: str) -> str | None:
    if not text.isascii():
        try:
            text = idna.encode(text.lower(), uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return query_name(text.lower())


def is_within(name: str, domain: str) -> bool:
    """Return whether `name` is `domain` or below it; both in lower case."""
    return name == domain or name.endswith("." + domain)
