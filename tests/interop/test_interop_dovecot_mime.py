"""FETCH of 2,000 messages answers as Dovecot does, octet by octet, but for the differences of docs/dovecot.md."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mailstore.mime import render
from mailstore.mime.sections import MESSAGE, MULTIPART, unpack

from .conftest import Pair
from .differences import listed, rules
from .sessions import content

pytestmark = [pytest.mark.interop]

_NUMBER = re.compile(rb"(\d+)")
_FIELDS = b"HEADER.FIELDS (subject To MIME-Version)", b"HEADER.FIELDS.NOT (from CONTENT-TYPE)"
_WHOLE = (b"", b"HEADER", b"TEXT", *_FIELDS, b"1.MIME", b"1.HEADER", b"1.TEXT", b"2.HEADER", b"7", b"1.7")


def _line_end(item: bytes, ours: bytes, theirs: bytes) -> bool:
    """Whether theirs is longer by CRLF, or its sizes are greater by two and its counts of lines by one."""
    if item.startswith(b"BODY["):
        return (content(ours) or b"") + b"\r\n" == content(theirs)
    mine, others = _NUMBER.split(ours), _NUMBER.split(theirs)
    return mine[::2] == others[::2] and all(
        0 <= int(other) - int(own) <= 2 for own, other in zip(mine[1::2], others[1::2], strict=True)
    )


#: The rules of docs/dovecot.md: whether one explains a difference of an item.
RULES: dict[str, Callable[[bytes, bytes, bytes], bool]] = {
    "absent section": lambda item, ours, theirs: item.startswith(b"BODY[") and ours == b"NIL" and not content(theirs),
    "line end before a delimiter": lambda item, ours, theirs: (
        b"HEADER" not in item and b"MIME" not in item and item.startswith(b"BODY") and _line_end(item, ours, theirs)
    ),
    "header cut within its last line": lambda item, ours, theirs: (
        b"HEADER.FIELDS" in item and content(ours) == (content(theirs) or b"") + b"\r\n"
    ),
}


def _numbers(table: bytes) -> list[tuple[bytes, bool]]:
    """The numbers of a message's parts (RFC 3501 6.4.5), from its part table, and whether the part is a message."""
    rows = unpack(table)
    children: list[list[int]] = [[] for _ in rows]
    above: list[int] = []
    for index, row in enumerate(rows):
        del above[row.depth :]
        if above:
            children[above[-1]].append(index)
        above.append(index)

    def below(index: int, prefix: bytes) -> Iterator[tuple[bytes, bool]]:
        for number, at in enumerate(children[index] if rows[index].kind == MULTIPART else [index], 1):
            name = b"%b%d" % (prefix, number)
            yield name, rows[at].kind == MESSAGE
            if rows[at].kind == MESSAGE:
                yield from below(children[at][0], name + b".")
            elif rows[at].kind == MULTIPART:
                yield from below(at, name + b".")

    return list(below(0, b""))


def _requests(message: bytes) -> Iterator[bytes]:
    """The items of each FETCH about a message, fewer sections than the service's limit."""
    names = list(_WHOLE)
    for number, is_message in _numbers(render(message).parts):
        of_messages = (b".HEADER", b".TEXT", b".HEADER.FIELDS (Subject)") if is_message else ()
        names += [number + what for what in (b"", b".MIME", *of_messages)]
    names = list(dict.fromkeys(names))
    for start in range(0, len(names), 90):
        whole = b"" if start else b"ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE "
        yield whole + b" ".join(b"BODY.PEEK[%b]" % name for name in names[start : start + 90])


def _equal(item: bytes, ours: bytes, theirs: bytes) -> bool:
    return content(ours) == content(theirs) if item.startswith(b"BODY[") else ours == theirs


def test_every_item_is_equal_or_a_listed_difference(pair: Pair) -> None:
    compared: Counter[str] = Counter()
    known = {row.message: row.items for row in listed()}
    wrong: list[str] = []
    for number, message in enumerate(pair.messages, 1):
        differing = set()
        for items in _requests(message):
            ours, theirs = pair.ours.fetch(number, items), pair.theirs.fetch(number, items)
            assert ours.keys() == theirs.keys(), (items, ours.keys(), theirs.keys())
            for item, value in theirs.items():
                compared["all"] += 1
                if _equal(item, ours[item], value):
                    continue
                by = [name for name, explains in RULES.items() if explains(item, ours[item], value)]
                compared.update(by)
                if not by:
                    differing.add(item)
                    if item not in known.get(message, ()):
                        wrong.append(
                            f"{item!r} of {message[:1500]!r}\n  here    {ours[item][:500]!r}\n  Dovecot {value[:500]!r}"
                        )
        if vanished := known.get(message, frozenset()) - differing:
            wrong.append(f"{vanished} of {message!r} no longer differ: remove them from docs/dovecot.md")
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:9])
    assert rules() == RULES.keys()
    assert not [name for name in RULES if not compared[name]], "rules without use: remove them from docs/dovecot.md"
    assert len(pair.messages) >= 2000 + len(known) and compared["all"] > 40_000, compared
