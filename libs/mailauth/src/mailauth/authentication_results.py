"""Authentication-Results (RFC 8601): the field written, read, and removed where it claims to be from this host."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from mailauth.header import fields

NAME = b"authentication-results"
#: Characters of a value that are written; of a field that are read, and items of it. What is longer is cut, or not read.
MOST_VALUE, MOST_READ, MOST_ITEMS = 400, 64 * 1024, 200
#: Octets of a field in which its authserv-id is looked for; with a longer comment in front it cannot be read.
MOST_BEFORE_HOST = 1024
_LINE = 78

_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_KEYWORD = _ALPHANUMERIC | {"-"}
#: RFC 2045 5.1: token
_TOKEN = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('()<>@,;:\\"/[]?=')
#: RFC 5322 3.2.3: dot-atom
_ATOM = _ALPHANUMERIC | frozenset("!#$%&'*+-/=?^_`{|}~.")


class BadField(ValueError):
    """The text is no payload of Authentication-Results; the message says where."""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method, its result, and what it was found for: `properties` are pairs like ("smtp.mailfrom", "joe@example.com")."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """The payload of a field. `host`: its authserv-id."""

    host: str
    results: tuple[MethodResult, ...] = ()


# -- writing


def write(found: AuthenticationResults, *, utf8: bool = False) -> bytes:
    """Return the whole field, folded, with its line ending.

    Values may be any text: control characters, and without `utf8` (SMTPUTF8, RFC 6532) those outside ASCII, become "?".
    ValueError if a method, result or property is no keyword.
    """
    return b"Authentication-Results: " + payload(found, utf8=utf8, column=24) + b"\r\n"


def payload(found: AuthenticationResults, *, utf8: bool = False, column: int = 0) -> bytes:
    """Return what follows the field's name, folded; its first line begins at `column`."""
    lines = [_value(found.host, utf8)]
    if not found.results:
        lines[0] += "; none"
    column += len(lines[0])
    for each in found.results:
        lines[-1] += ";"
        lines.append("\r\n\t" + f"{_keyword(each.method)}={_keyword(each.result)}")
        column = len(lines[-1])
        parts = [f"reason={_value(each.reason, utf8)}"] if each.reason else []
        for name, value in each.properties:
            kind, _, rest = name.partition(".")
            parts.append(
                f"{_keyword(kind)}.{_keyword(rest.replace('_', '-')) and rest}={_value(value, utf8, address=True)}"
            )
        for part in parts:
            fold = column + 1 + len(part) > _LINE
            lines[-1] += ("\r\n\t" if fold else " ") + part
            column = len(part) + 1 if fold else column + 1 + len(part)
    return "".join(lines).encode()


@lru_cache(maxsize=256)
def _keyword(text: str) -> str:
    if not text or not _KEYWORD.issuperset(text):
        raise ValueError(f"{text!r} is no keyword of Authentication-Results")
    return text


def _value(text: str, utf8: bool, *, address: bool = False) -> str:
    """Return `text` as a token, as an `address` where one may stand, or as a quoted string."""
    clean = text[:MOST_VALUE]
    if not clean.isprintable() or not (clean.isascii() or utf8):
        clean = "".join(each if each.isprintable() and (each.isascii() or utf8) else "?" for each in clean)
    if clean and _TOKEN.issuperset(clean):
        return clean
    local, at, domain = clean.rpartition("@")
    if address and at and domain and _ATOM.issuperset(local) and (_KEYWORD | {".", "_"}).issuperset(domain):
        return clean
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- reading


def read(value: bytes) -> AuthenticationResults:
    """Return the payload of a field. Raises BadField; what it returns has at most MOST_ITEMS results and properties."""
    return _Reader(value.decode("utf-8", "replace")).read()


def without(header: bytes, hosts: Collection[str]) -> bytes:
    """Return a header without the fields that claim to be from one of `hosts`, or that cannot be read (RFC 8601 5)."""
    ours = {host.lower().rstrip(".") for host in hosts}
    return b"".join(each.raw for each in fields(header) if each.name != NAME or not _claims(each.value, ours))


def _claims(value: bytes, ours: Collection[str]) -> bool:
    try:
        return _Reader(value[:MOST_BEFORE_HOST].decode("utf-8", "replace")).host().lower().rstrip(".") in ours
    except BadField:
        return True


class _Reader:
    """A scanner that goes once from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_READ:
            raise BadField("the field is too long")
        self._text = text
        self._at = 0

    def host(self) -> str:
        self._skip()
        return self._value(_TOKEN)

    def read(self) -> AuthenticationResults:
        host = self.host()
        self._skip()
        if self._peek() not in (";", ""):
            self._word(_KEYWORD)  # the version
            self._skip()
        results: list[MethodResult] = []
        self._left = MOST_ITEMS
        while self._peek() == ";":
            self._at += 1
            self._skip()
            if not self._peek():
                break  # a semicolon at the end, which others write
            self._count()
            name = self._word(_KEYWORD)
            self._skip()
            if name.lower() == "none" and self._peek() in (";", ""):
                continue
            results.append(self._result(name))
        if self._peek():
            raise BadField(f"an unexpected {self._peek()!r}")
        return AuthenticationResults(host, tuple(results))

    def _result(self, method: str) -> MethodResult:
        if self._peek() == "/":
            self._expect("/")
            self._word(_KEYWORD)
        self._expect("=")
        result, reason = self._word(_KEYWORD), ""
        properties: list[tuple[str, str]] = []
        self._skip()
        while self._peek() not in (";", ""):
            self._count()
            name = self._word(_KEYWORD)
            self._skip()
            if self._peek() == ".":
                self._expect(".")
                name += "." + self._word(_KEYWORD | {"_"})
            self._expect("=")
            value = self._value(_TOKEN | _ATOM | {"@", ":", "/", "[", "]"} if "." in name else _TOKEN)
            if "." in name:
                properties.append((name.lower(), value))
            elif name.lower() == "reason":
                reason = value
            self._skip()
        return MethodResult(method.lower(), result.lower(), tuple(properties), reason)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BadField("too many items")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _expect(self, wanted: str) -> None:
        self._skip()
        if self._peek() != wanted:
            raise BadField(f"{wanted!r} is missing")
        self._at += 1
        self._skip()

    def _skip(self) -> None:
        """Skip white space and comments, which may be nested."""
        depth = 0
        while self._at < len(self._text):
            each = self._text[self._at]
            if each == "\\" and depth:
                self._at += 1
            elif each == "(":
                depth += 1
            elif each == ")" and depth:
                depth -= 1
            elif not depth and each not in " \t\r\n":
                return
            self._at += 1
        if depth:
            raise BadField("a comment without an end")

    def _word(self, allowed: Collection[str]) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] in allowed:
            self._at += 1
        if start == self._at:
            raise BadField(f"a word is missing before {self._text[start : start + 10]!r}")
        return self._text[start : self._at]

    def _value(self, allowed: Collection[str]) -> str:
        """Return a token, an address or the content of a quoted string; text outside ASCII is allowed (RFC 6532)."""
        if self._peek() != '"':
            start = self._at
            while self._at < len(self._text) and (self._text[self._at] in allowed or self._text[self._at] > "\x7f"):
                self._at += 1
            if start == self._at:
                raise BadField("a value is missing")
            return self._text[start : self._at]
        self._at += 1
        found: list[str] = []
        while self._peek() != '"':
            if self._peek() == "\\":
                self._at += 1
            if not self._peek():
                raise BadField("a quoted string without an end")
            found.append(self._peek())
            self._at += 1
        self._at += 1
        # `"a b"@example.com`, which is a local part
        rest = self._value(allowed) if self._peek() == "@" and "@" in allowed else ""
        return "".join(found) + rest
