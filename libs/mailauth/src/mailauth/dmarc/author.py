"""The domain in From (RFC 9989 5.3.1): read strictly, as two readers of the same field must not see two authors."""

from mailauth.dns import ascii_domain
from mailauth.header import fields

#: Octets of a From field that are read.
MOST_OCTETS = 64 * 1024


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


def _domain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    found = ascii_domain("".join(domain.split(" ")))
    if not at or not local or found is None or not all(each.isalnum() or each in "-_." for each in found):
        raise BadAuthor("an address without a domain in From")
    return found


def _addresses(text: str) -> list[str]:
    """Return the addresses of a mailbox list, groups included, without comments; a quoted local part is `"`. Raises BadAuthor."""
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
            at = _end_of_quotation(text, at)
            (phrase if inside is None else inside).append('"')
            continue
        if each == "<":
            if inside is not None:
                raise BadAuthor("angle brackets inside each other in From")
            inside = []
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
