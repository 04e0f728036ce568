"""Lines of .qmail files (dot-qmail(5)) and what they mean under vpopmail. Programs are recognised, never run."""

import re
import shlex
from dataclasses import dataclass
from typing import Literal

#: Limit of octets of a .qmail file, and of its instructions.
LARGEST = 256 * 1024
MOST_LINES = 1000

ProgramKind = Literal["autorespond", "ezmlm", "maildrop", "other"]

_ADDRESS = re.compile(r"[^\s<>@]+(@[^\s<>@]+)?")


@dataclass(frozen=True, slots=True)
class ForwardLine:
    """An address to which mail is forwarded; without @ it is one of the host."""

    address: str


@dataclass(frozen=True, slots=True)
class DeliverTo:
    """Delivery into a mailbox: the path on the old host, and the domain and account that it names, None if it names none."""

    path: str
    domain: str | None
    account: str | None


@dataclass(frozen=True, slots=True)
class Vdelivermail:
    """`|vdelivermail`: to the account of the address. `otherwise`: what is done if there is none."""

    otherwise: "Literal['bounce', 'delete'] | ForwardLine | DeliverTo"


@dataclass(frozen=True, slots=True)
class ProgramLine:
    """A program that the old host ran with each message. `arguments` is empty if the line cannot be split as a shell does."""

    kind: ProgramKind
    line: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """A line that means nothing to qmail, or whose delivery has no place here: an mbox file, a malformed address."""

    line: str
    reason: str


Instruction = ForwardLine | DeliverTo | Vdelivermail | ProgramLine | UnknownLine


@dataclass(frozen=True, slots=True)
class DotQmail:
    """A .qmail file. No instructions: the mail is thrown away; `is_empty`: a file of 0 octets, which means default delivery."""

    instructions: tuple[Instruction, ...]
    is_empty: bool = False


def parse(data: bytes) -> DotQmail:
    """Parse the octets of a .qmail file. Raises UnicodeDecodeError, ValueError for too many lines."""
    if not data:
        return DotQmail((), is_empty=True)
    lines = data.split(b"\n")
    if len(lines) > MOST_LINES:
        raise ValueError(f"has more than {MOST_LINES:,} lines")
    found = (_instruction(line.decode("utf-8").rstrip(" \t\r")) for line in lines)
    return DotQmail(tuple(each for each in found if each is not None))


def address_of(extension: str) -> str:
    """Return the local part that `.qmail-EXTENSION` is for: a colon stands for a dot (dot-qmail(5))."""
    return extension.replace(":", ".")


def _instruction(line: str) -> Instruction | None:
    if not line or line[0] in "#+":
        return None
    if line[0] == "|":
        return _program(line)
    if line[0] in "./":
        return delivery(line) if line.endswith("/") else UnknownLine(line, "is a file in mbox format")
    address = line.removeprefix("&").strip()
    return ForwardLine(address) if _ADDRESS.fullmatch(address) else UnknownLine(line, "is no address")


def _program(line: str) -> Instruction:
    try:
        words = tuple(shlex.split(line[1:]))
    except ValueError:
        words = ()
    names = {word.rpartition("/")[2] for word in words[:3]}  # "| preline -f /usr/bin/maildrop"
    if words and words[0].rpartition("/")[2] == "vdelivermail":
        return _vdelivermail(line, words)
    kind: ProgramKind = "other"
    if names & {"autorespond", "qmail-autoresponder"}:
        kind = "autorespond"
    elif any(name.startswith("ezmlm-") for name in names):
        kind = "ezmlm"
    elif names & {"maildrop", "maildrop.sh"}:
        kind = "maildrop"
    return ProgramLine(kind, line, words)


def _vdelivermail(line: str, words: tuple[str, ...]) -> Instruction:
    """Parse the four forms of vdelivermail's second argument (vdelivermail.c)."""
    if len(words) != 3:
        return ProgramLine("other", line, words)
    last = words[2]
    if last == "bounce-no-mailbox":
        return Vdelivermail("bounce")
    if last == "delete":
        return Vdelivermail("delete")
    if last.startswith(("/", "./")):
        return Vdelivermail(delivery(last))
    if _ADDRESS.fullmatch(last.removeprefix("&")):
        return Vdelivermail(ForwardLine(last.removeprefix("&")))
    return ProgramLine("other", line, words)


def delivery(path: str) -> DeliverTo:
    """Return a delivery to the path of a Maildir or of an account: `/home/vpopmail/domains/0/site.com/3/user/Maildir/`."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if names and names[-1] == "Maildir":
        names.pop()
    if not names or ".." in names:
        return DeliverTo(path, None, None)
    account = names.pop().lower()
    domain = next((name.lower() for name in reversed(names) if "." in name), None) if "domains" in names else None
    return DeliverTo(path, domain, account)
