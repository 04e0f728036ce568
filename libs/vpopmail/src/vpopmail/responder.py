"""What an `autorespond` line answers (inter7's autorespond, as qmailadmin sets it up)."""

from dataclasses import dataclass

from vpopmail.dotqmail import ProgramLine
from vpopmail.tree import TreeFolder, Unreadable

#: Limit of octets of an answer.
LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Responder:
    """An automatic answer: at most `most` within `seconds` to one sender. `message` has a header, with LF line ends."""

    message: bytes
    seconds: int
    most: int


def read_responder(program: ProgramLine, domain: TreeFolder) -> Responder:
    """Read the answer of `|autorespond SECONDS MOST MESSAGE FOLDER`; the message lies in the domain's folder. Raises Unreadable."""
    at = next((n for n, word in enumerate(program.arguments) if word.rpartition("/")[2] == "autorespond"), None)
    given = program.arguments[at + 1 :] if at is not None else ()
    if len(given) < 4 or not all(each.isascii() and each.isdigit() and len(each) < 10 for each in given[:2]):
        raise Unreadable("is an autoresponder whose arguments are not those of autorespond")
    names = [name for name in given[2].split("/") if name]
    start = domain.path.rpartition("/")[2]
    below = names[names.index(start) + 1 :] if start in names else names[-2:]
    if not below or len(below) > 5:
        raise Unreadable("is an autoresponder whose message lies outside its domain")
    with domain.folder(*below[:-1]) as folder:
        return Responder(folder.read(below[-1], LARGEST_ANSWER), int(given[0]), int(given[1]))
