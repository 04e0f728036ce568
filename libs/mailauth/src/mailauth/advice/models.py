"""The facts that advice is given about, and its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailauth.dkim.keys import Algorithm
from mailauth.dns import Kind

Purpose = Literal["mx", "spf", "dkim", "dmarc", "alias", "mta-sts", "tls-rpt", "srv", "source"]
State = Literal["right", "missing", "wrong", "unknown"]

#: Records of one name, and octets of each, that are shown as found.
MOST_FOUND, MOST_SHOWN = 10, 500


@dataclass(frozen=True, slots=True)
class MailService:
    """The service that a domain is served by.

    `hosts`: the names by which it is reached, the one to publish first. `sending`: the HELO names that its mail leaves by, each
    with the addresses of its hosts.
    """

    hosts: tuple[str, ...]
    sending: tuple[str, ...]

    @property
    def host(self) -> str:
        """The name to publish."""
        return self.hosts[0]


@dataclass(frozen=True, slots=True)
class Key:
    """A DKIM key that signs or is about to. `active`: whether it signs already."""

    selector: str
    algorithm: Algorithm
    record: str
    active: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """One record that should exist: what it is for, what is there, and what is wrong.

    `needed`: mail is lost or refused without it. `value`: what to publish, as in a zone file, TXT without
    quotation marks; empty where only the operator knows.
    `problems`: one sentence each, which says what to do; `remarks`: the same where nothing is wrong. `unknown` means that the
    DNS could not be asked, whatever else was found.
    """

    purpose: Purpose
    name: str
    kind: Kind
    value: str
    needed: bool
    state: State
    found: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedRecord:
    """A record that should exist, before anything was asked."""

    purpose: Purpose
    name: str
    kind: Kind
    value: str
    needed: bool = True

    def judged(self, found: Sequence[str | bytes], problems: Sequence[str] = (), remarks: Sequence[str] = ()) -> Advice:
        """Return the advice: missing if nothing is there, wrong if there are problems."""
        state: State = "missing" if not found else "wrong" if problems else "right"
        shown = tuple(shown_record(each) for each in found[:MOST_FOUND])
        return Advice(
            self.purpose, self.name, self.kind, self.value, self.needed, state, shown, tuple(problems), tuple(remarks)
        )

    def unknown(self, why: str) -> Advice:
        """Return the advice where the DNS could not be asked."""
        sentence = f"The DNS could not be asked ({why}): repair the zone's name servers, or ask again later."
        return Advice(self.purpose, self.name, self.kind, self.value, self.needed, "unknown", (), (sentence,))


def shown_record(record: str | bytes) -> str:
    """Return a record as printable text of bounded length."""
    text = record[:MOST_SHOWN].decode("utf-8", "replace") if isinstance(record, bytes) else record[:MOST_SHOWN]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
