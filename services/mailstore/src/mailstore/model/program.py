"""Programs of SEARCH: their form, and which parts of them columns answer (RFC 3501 6.4.4). Pure."""

from datetime import date
from typing import Any

from mailkit.errors import BadRequest, OverLimit
from mailstore_api.wire import MOST_RANGES

DEEPEST = 60
MOST_NODES = 4000
#: Limit of the keys of a program that search bodies.
MOST_BODY_KEYS = 50

TEXTS = frozenset({"FROM", "TO", "CC", "BCC", "SUBJECT"})
DAYS = frozenset({"BEFORE", "ON", "SINCE"})
#: Seconds before now (RFC 5032).
WITHIN = frozenset({"OLDER", "YOUNGER"})
JOINED = frozenset({"AND", "OR"})
#: Keys that search bodies, with the number of their values.
IN_BODY = {"BODY": 1, "TEXT": 1, "HEADER": 2}

#: A key and its values, or AND, OR or NOT and nodes (mailstore_api.wire.SearchQuestion).
Node = list[Any]


def is_exact(node: Node) -> bool:
    """Return whether columns alone answer `node`."""
    if node[0] in ("AND", "OR", "NOT"):
        return all(is_exact(part) for part in node[1:])
    return node[0] not in IN_BODY


def asks_modseq(node: Node) -> bool:
    """Return whether the program has a key MODSEQ, so that the answer has one too (RFC 7162 3.1.5)."""
    return node[0] == "MODSEQ" or (node[0] in ("AND", "OR", "NOT") and any(map(asks_modseq, node[1:])))


def checked(program: Any) -> Node:
    """Return `program` if it is valid (mailstore_api.wire.SearchQuestion).

    Raises BadRequest, and OverLimit for too many body keys.
    """
    todo = [(program, 0)]
    nodes = in_body = ranges = 0
    while todo:
        node, depth = todo.pop()
        nodes += 1
        if depth > DEEPEST or nodes > MOST_NODES or not isinstance(node, list) or not node:
            raise BadRequest("not a search program, or one too large")
        key, *rest = node
        if not isinstance(key, str):
            raise BadRequest("not a search program")
        if key in ("AND", "OR", "NOT"):
            if not rest or (key == "NOT" and len(rest) != 1):
                raise BadRequest(f"not a search program: {key}")
            todo += [(part, depth + 1) for part in rest]
        else:
            ranges += len(rest[0]) if key == "UID" and rest and isinstance(rest[0], list) else 0
            if ranges > MOST_RANGES:
                raise BadRequest(f"program of a SearchQuestion: at most {MOST_RANGES} ranges of UIDs")
            if not _good_leaf(key, rest):
                raise BadRequest(f"not a search program: {key}")
        in_body += key in IN_BODY
        if in_body > MOST_BODY_KEYS:
            raise OverLimit(f"a search may look for at most {MOST_BODY_KEYS} texts in messages")
    found: Node = program
    return found


def _good_leaf(key: str, rest: list[Any]) -> bool:
    if key == "ALL":
        return not rest
    if key == "UID":
        return len(rest) == 1 and isinstance(rest[0], list) and all(map(_good_range, rest[0]))
    if key in ("LARGER", "SMALLER", "RECENT", "MODSEQ"):
        return len(rest) == 1 and type(rest[0]) is int and 0 <= rest[0] < 2**63
    if key in WITHIN:
        return len(rest) == 1 and type(rest[0]) is int and 0 < rest[0] < 2**32
    if key in IN_BODY or key in TEXTS or key in ("FLAG", "EMAILID"):
        return len(rest) == IN_BODY.get(key, 1) and all(isinstance(text, str) for text in rest)
    if key in DAYS or (key.startswith("SENT") and key[4:] in DAYS) or key.removeprefix("SAVED") in DAYS:
        return len(rest) == 1 and isinstance(rest[0], str) and day(rest[0]) is not None
    return False


def _good_range(each: Any) -> bool:
    return isinstance(each, list) and len(each) == 2 and all(type(n) is int and 0 <= n < 2**63 for n in each)


def day(text: str) -> date | None:
    """Return the day of an ISO 8601 date; None if it is not one."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
