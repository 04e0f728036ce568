"""The form of a message for clients without UTF8 (RFC 6856 2.1): UTF-8 in its header becomes encoded words (RFC 2047). Pure."""

import base64
import re

#: Octets that are held back at most, to see where a folded field ends.
MOST_HELD = 64 * 1024
#: Octets of text in one encoded word, which has at most 75 characters (RFC 2047 2).
_TEXT = 42
_FIELDS = re.compile(rb"(?<=\n)(?![ \t])")
_SPACES = re.compile(rb"([\x00-\x20]+)")
_SPECIALS = re.compile(rb'([\x00-\x20"(),:;<>@\[\]\\]+)')
#: Fields whose words end at specials too (RFC 2047 5); in others an encoded word stands between white space.
_STRUCTURED = frozenset(
    b"from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc return-path "
    b"delivered-to disposition-notification-to content-type content-disposition message-id in-reply-to references".split()
)
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_EMPTY_LINE_HERE = re.compile(rb"\r?\n")


class Surrogate:
    """A message that comes in pieces. Octets that are not UTF-8 stay as they are, and so does the body."""

    def __init__(self) -> None:
        self._held = b""
        self._at_line = True  # what is held begins with a line
        self._in_header = True

    def add(self, piece: bytes) -> bytes:
        """Return what can be sent of the message so far."""
        if not self._in_header or not piece:
            return piece
        data = self._held + piece
        here = _EMPTY_LINE_HERE.match(data) if self._at_line else None
        ends = here or _EMPTY_LINE.search(data)
        if ends is not None:
            self._in_header, self._held = False, b""
            return ascii_header(data[: ends.start()]) + data[ends.start() :]
        cut = _last_field(data)
        self._at_line = True
        if len(data) - cut > MOST_HELD:
            cut, self._at_line = len(data) - 2, False  # two octets more may begin an empty line
        self._held = data[cut:]
        return ascii_header(data[:cut])

    def end(self) -> bytes:
        """Return what was held back of a message without an empty line."""
        held, self._held = self._held, b""
        return ascii_header(held)


def surrogate(raw: bytes) -> bytes:
    """Return the form of a whole message."""
    made = Surrogate()
    return made.add(raw) + made.end()


def ascii_header(text: bytes) -> bytes:
    """Return header fields with their words in UTF-8 as encoded words."""
    return text if text.isascii() else b"".join(map(_ascii_field, _FIELDS.split(text)))


def _ascii_field(field: bytes) -> bytes:
    """Encode the words of one field, those that follow each other together: white space between encoded words is not shown."""
    if field.isascii():
        return field
    name, colon, value = field.partition(b":")
    if not name.isascii():
        name, colon, value = b"", b"", field
    between = _SPECIALS if name.lower() in _STRUCTURED else _SPACES
    parts = between.split(value)  # words at even places, what separates them at odd ones
    made = [name, colon]
    at = 0
    while at < len(parts):
        group = [parts[at]]
        if parts[at].isascii():
            made += group
        else:
            while at + 2 < len(parts) and not parts[at + 1].strip() and not parts[at + 2].isascii():
                group.append(parts[at + 2])
                at += 2
            made.append(_encoded_words(b" ".join(group)))
        made += parts[at + 1 : at + 2]
        at += 2
    return b"".join(made)


def _encoded_words(text: bytes) -> bytes:
    try:
        left = text.decode()
    except UnicodeDecodeError:
        return text
    words: list[bytes] = []
    word = b""
    for char in left:
        octets = char.encode()
        if len(word) + len(octets) > _TEXT:
            words.append(word)
            word = b""
        word += octets
    return b"\r\n ".join(b"=?utf-8?b?" + base64.b64encode(each) + b"?=" for each in [*words, word])


def _last_field(data: bytes) -> int:
    """Return where the last field begins that is known to begin one; 0 if there is none behind the first."""
    end = len(data)
    while (end := data.rfind(b"\n", 0, end)) >= 0:
        if data[end + 1 : end + 2] not in (b"", b" ", b"\t"):
            return end + 1
    return 0
