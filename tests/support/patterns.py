"""Every regular expression of the product, and texts made to slow each of them down.

Patterns are found in the source, so those inside functions count too. The texts come from the parsed pattern: for each
repetition the shortest text that leads to it, then what it repeats, many times, then something that makes it fail.
"""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).parents[2]
SEARCHING = frozenset(("search", "sub", "subn", "split", "findall", "finditer"))
METHODS = SEARCHING | {"match", "fullmatch"}
#: Repetitions with a smaller bound cost a constant.
_LONG = 32
#: Four times LENGTH octets cost at least 4 ms where cost is the square of it: what is done in FLOOR seconds is linear.
LENGTH = 1000
FLOOR = 0.002


@dataclass(frozen=True)
class Use:
    """A pattern as the product applies it. `how`: the methods called on it, "search" for all that search."""

    place: str
    pattern: "re.Pattern[Any]"
    how: frozenset[str]


class NotConstant(Exception):
    """A pattern that is known only when the product runs."""


def sources() -> list[Path]:
    """The product's modules; migrations run once and see no text from outside."""
    found = [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("proto/*/src/**/*.py")]
    return sorted(path for path in found if not {"migrations", "testing"} & set(path.parts))


def uses(path: Path) -> Iterator[Use]:
    """The patterns of one module. Raises NotConstant."""
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        if node.func.attr in METHODS or node.func.attr == "compile":
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield Use(place, _compiled(path, node, place), _how(tree, node, parents))


def _compiled(path: Path, call: ast.Call, place: str) -> "re.Pattern[Any]":
    parts = path.relative_to(next(parent for parent in path.parents if parent.name == "src")).with_suffix("").parts
    names = vars(importlib.import_module(".".join(parts).removesuffix(".__init__")))
    flags = [word.value for word in call.keywords if word.arg == "flags"]
    if call.func.attr == "compile" and len(call.args) > 1:  # type: ignore[attr-defined]
        flags.append(call.args[1])
    try:
        text, *flag = (eval(compile(ast.Expression(each), place, "eval"), names) for each in (call.args[0], *flags))
    except NameError as error:
        raise NotConstant(f"{place}: {error}") from error
    return re.compile(text, *flag)


def _how(tree: ast.Module, call: ast.Call, parents: dict[ast.AST, ast.AST]) -> frozenset[str]:
    called = call.func.attr  # type: ignore[attr-defined]
    parent = parents[call]
    patterns = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "re.compile" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    if called != "compile":
        found = {called}
    elif isinstance(parent, ast.Attribute):
        found = {parent.attr}
    elif isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        name = parent.targets[0].id
        found = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
        } & METHODS
    if not found:  # handed to a function of the module
        found = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id not in patterns
        } & (METHODS - {"split"}) or set(METHODS)
    return frozenset("search" if each in SEARCHING else each for each in found)


# -- texts


def texts(pattern: "re.Pattern[Any]") -> Iterator[Callable[[int], Any]]:
    """Functions from a length to a text of about that length."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if _is_bytes(pattern) else pattern.flags)
    starts = {"": None}
    pumps: dict[str, None] = {}
    for lead, body in _repeats(list(tree), ""):
        starts[lead] = None
        pumps[body] = None
        if lead:
            pumps[lead] = pumps[lead + body] = None
    letters = _letters(list(tree))[:10]
    pumps |= dict.fromkeys(letters)
    pumps |= dict.fromkeys(a + b for a, b in product(letters[:6], repeat=2) if a != b)
    ends = list(dict.fromkeys(["", "\0", *letters[:3], *re.findall(r"\[\^(?!\\)(.)", _source(pattern))]))
    for start, pump, end in product(list(starts)[:6], (pump for pump in pumps if pump), ends[:6]):
        yield partial(_text, start, pump, end, _is_bytes(pattern))


def _text(start: str, pump: str, end: str, octets: bool, length: int) -> Any:
    text = start + pump * max(1, length // len(pump)) + end
    return text.encode("latin-1", "replace") if octets else text


def _source(pattern: "re.Pattern[Any]") -> str:
    return pattern.pattern.decode("latin-1") if _is_bytes(pattern) else str(pattern.pattern)


def _is_bytes(pattern: "re.Pattern[Any]") -> bool:
    return isinstance(pattern.pattern, bytes)


def _repeats(tokens: list[Any], lead: str) -> Iterator[tuple[str, str]]:
    """(shortest text that leads there, text of one turn) for each long repetition."""
    for op, value in tokens:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            _, most, body = value
            if most >= _LONG:
                yield lead, _shortest(list(body))
                for letter in _letters(list(body))[:6]:
                    yield lead, letter
            yield from _repeats(list(body), lead)
        elif op is sre.SUBPATTERN:
            yield from _repeats(list(value[3]), lead)
        elif op is sre.ATOMIC_GROUP:
            yield from _repeats(list(value), lead)
        elif op is sre.BRANCH:
            for branch in value[1]:
                yield from _repeats(list(branch), lead)
        lead += _shortest([(op, value)])


def _shortest(tokens: list[Any]) -> str:
    """A short text that matches; look-around is left out."""
    out = ""
    for op, value in tokens:
        if op is sre.LITERAL:
            out += chr(value)
        elif op in (sre.IN, sre.NOT_LITERAL, sre.ANY):
            out += next(iter(_letters([(op, value)])), "")
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            out += _shortest(list(value[2])) * min(value[0], _LONG)
        elif op is sre.SUBPATTERN:
            out += _shortest(list(value[3]))
        elif op is sre.ATOMIC_GROUP:
            out += _shortest(list(value))
        elif op is sre.BRANCH:
            out += min((_shortest(list(branch)) for branch in value[1]), key=len)
    return out


def _letters(tokens: list[Any]) -> list[str]:
    """One or two letters of each class and each literal in `tokens`, in the order in which they stand there."""
    found: dict[str, None] = {}
    for op, value in tokens:
        if op is sre.LITERAL:
            found[chr(value)] = None
        elif op in (sre.NOT_LITERAL, sre.ANY):
            found |= dict.fromkeys(letter for letter in "a \t(" if value != ord(letter))
        elif op is sre.IN:
            found |= dict.fromkeys(_members(value))
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found |= dict.fromkeys(_letters(list(value[2])))
        elif op is sre.SUBPATTERN:
            found |= dict.fromkeys(_letters(list(value[3])))
        elif op is sre.ATOMIC_GROUP:
            found |= dict.fromkeys(_letters(list(value)))
        elif op is sre.BRANCH:
            found |= dict.fromkeys(letter for branch in value[1] for letter in _letters(list(branch)))
    return list(found)


def _members(items: list[Any]) -> list[str]:
    """Some members of a character class."""
    matches = re.compile("[" + "".join(_written(op, value) for op, value in items) + "]")
    tried = "".join(chr(value) for op, value in items if op is sre.LITERAL)[:4]
    tried += "a 1\t.-=+A;:,\"'\\/&?@<>()[]{}!~_\r\n\x00\x80\xff"
    return [letter for letter in tried if matches.match(letter)][:4]


def _written(op: Any, value: Any) -> str:
    if op is sre.NEGATE:
        return "^"
    if op is sre.LITERAL:
        return re.escape(chr(value))
    if op is sre.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {
        sre.CATEGORY_DIGIT: r"\d",
        sre.CATEGORY_NOT_DIGIT: r"\D",
        sre.CATEGORY_SPACE: r"\s",
        sre.CATEGORY_NOT_SPACE: r"\S",
        sre.CATEGORY_WORD: r"\w",
        sre.CATEGORY_NOT_WORD: r"\W",
    }[value]


# -- measuring


def apply(pattern: "re.Pattern[Any]", how: str, text: Any) -> None:
    """Do with `text` what the product does."""
    if how == "search":
        for _ in pattern.finditer(text):
            pass
    else:
        getattr(pattern, how)(text)
