"""Parser of the parameters of SELECT and EXAMINE (RFC 4466 2.1; RFC 7162 3.1.8, 3.2.5)."""

from dataclasses import dataclass

from pop_imap_frontend.imap.grammar import Cursor, SequenceSet
from pop_imap_frontend.imap.refusals import BadCommand


@dataclass(frozen=True, slots=True)
class Resync:
    """What a client knows of a folder: its UIDVALIDITY, MODSEQ and UIDs; `known` None: all up to UIDNEXT."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None


@dataclass(slots=True)
class SelectOptions:
    """Parameters of SELECT."""

    condstore: bool = False
    resync: Resync | None = None


def select_options(cursor: Cursor) -> SelectOptions:
    """Parse the parameters, if there are any. Raises BadCommand."""
    options = SelectOptions()
    if cursor.at_end():
        return options
    cursor.space()
    for _ in cursor.each("parameters"):
        name = cursor.keyword("a parameter")
        if name == "CONDSTORE":
            options.condstore = True
        elif name == "QRESYNC" and options.resync is None:
            cursor.space()
            options.resync = _resync(cursor)
        else:
            raise BadCommand(f"{name} is not a parameter of SELECT")
    return options


def _resync(cursor: Cursor) -> Resync:
    """Parse `(uidvalidity modseq [known-uids] [(sequence-set uid-set)])`.

    The last part only limits what a server sends that has forgotten expunges early; here they are known for a week.
    """
    cursor.literal(b"(", "a list of QRESYNC parameters")
    uidvalidity = cursor.number("a UIDVALIDITY")
    cursor.space()
    modseq = cursor.number("a MODSEQ")
    known = None
    if cursor.accept(b" ") and cursor.peek() != b"(":
        known = cursor.uid_set()
        cursor.accept(b" ")
    if cursor.accept(b"("):
        cursor.uid_set()
        cursor.space()
        cursor.uid_set()
        cursor.literal(b")")
    cursor.literal(b")")
    return Resync(uidvalidity, modseq, known)
