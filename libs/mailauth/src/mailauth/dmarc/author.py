"""The domain in From (RFC 9989 5.3.1): read strictly, as two readers of the same field must not see two authors."""

from mailauth.dns import ascii_domain
from mailauth.header import fields

#: Octets of From fields that are read.
MOST_OCTETS = 64 * 1024
#: Characters that a local part has in quotation marks only.
_UNQUOTED = frozenset('@,:;<>()[]\\" ')


class BadAuthor(ValueError):
    """There is not one domain in From; the message says why."""


def author_domain(header: bytes) -> str:
    """Return the one domain of the addresses in From, in lower case as A-labels. Raises BadAuthor."""
    found = [each.value for each in fields(header) if each.name == b"from"]
    if len(found) != 1:
        raise BadAuthor("several From fields" if found else "no From field")
    if len(found[0]) > MOST_OCTETS:
        raise BadAuthor("a From field that is too long")
    try:
        domains = {_domain(each) for each in _addresses(found[0].decode())}
    except UnicodeDecodeError:
        raise BadAuthor("From is not in UTF-8") from None
    if len(domains) != 1:
        raise BadAuthor("several domains in From" if domains else "no address in From")
    return domains.pop()


def authors(header: bytes) -> tuple[list[str], bool]:
    """Return the addresses in all From fields, and whether every reader finds the same: one field, read without a doubt.

    An address is its local part without quotation marks, "@", and its domain in lower case as A-labels. Where there is a doubt,
    the addresses are those of the fields that can be read, of the first MOST_OCTETS.
    """
    values = [each.value for each in fields(header) if each.name == b"from"]
    found: list[str] = []
    whole = len(values) == 1
    left = MOST_OCTETS
    for value in values:
        left -= len(value)
        try:
            if left < 0:
                raise BadAuthor("a From field that is too long")
            found += [_address(each) for each in _addresses(value.decode(), names=True)]
        except (BadAuthor, UnicodeDecodeError):
            whole = False
    return list(dict.fromkeys(found)), whole and bool(found)


def _domain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    found = ascii_domain("".join(domain.split(" ")))
    if not at or not local or found is None or not all(each.isalnum() or each in "-_." for each in found):
        raise BadAuthor("an address without a domain in From")
    return found


def _address(text: str) -> str:
    """Return an address without quotation marks and white space around its parts. Raises BadAuthor."""
    local = text.rpartition("@")[0].strip(" ")
    if len(local) > 1 and local[0] == local[-1] == '"' and '"' not in local[1:-1]:
        local = local[1:-1]
    elif not local or not _UNQUOTED.isdisjoint(local):
        raise BadAuthor("a local part that is not quoted in From")
    return f"{local}@{_domain(text)}"


def _addresses(text: str, *, names: bool = False) -> list[str]:
    """Return the addresses of a mailbox list, groups included, without comments. Raises BadAuthor.

    `names`: also what looks like an address in a display name that is not quoted.
    """
    found: list[str] = []
    phrase: list[str] = []
    inside: list[str] | None = None
    at = 0
    text = text.replace("\t", " ").replace("\r\n", " ").strip("\n")
    if any(each < " " or each == "\x7f" for each in text):
        raise BadAuthor("a control character in From")
    while at < len(text):
        each = text[at]
        if each == "(":
            at = _end_of_comment(text, at)
            continue
        if each == '"':
            end = _end_of_quotation(text, at)
            (phrase if inside is None else inside).append(text[at:end])
            at = end
            continue
        if each == "<":
            if inside is not None:
                raise BadAuthor("angle brackets inside each other in From")
            inside = []
            if names and "@" in phrase:
                found += [word for word in "".join(phrase).split() if "@" in word]
        elif each == ">":
            if inside is None:
                raise BadAuthor("an angle bracket that is not opened in From")
            found.append("".join(inside))
            inside, phrase = None, ["\0"]  # what follows must not be text
        elif inside is not None:
            inside.append(each)
        elif each in ",;":
            _end(phrase, found)
        elif each == ":":
            phrase.clear()  # the name of a group
        else:
            if phrase and phrase[0] == "\0" and each != " ":
                raise BadAuthor("text behind an address in From")
            phrase.append(each)
        at += 1
    if inside is not None:
        raise BadAuthor("an angle bracket without an end in From")
    _end(phrase, found)
    return found


def _end(phrase: list[str], found: list[str]) -> None:
    """End a mailbox; one without angle brackets is an address."""
    text = "".join(phrase).strip(" ")
    phrase.clear()
    if text and text[0] != "\0":
        found.append(text)


def _end_of_comment(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise BadAuthor("a comment without an end in From")


def _end_of_quotation(text: str, at: int) -> int:
    at += 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            return at + 1
        at += 1
    raise BadAuthor("a quotation without an end in From")
