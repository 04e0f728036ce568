"""Message ids as RFC 5256 3 compares them: without brackets, quotes, comments and white space, in the case as written."""

import re
from collections import deque

from mailstore.mime.headers import MAX_VALUE
from mailstore.mime.lexer import MORE, Lexer

#: Longest id that is taken for one (octets): a line of RFC 5322 2.1.1.
MAX_ID = 998
#: Limit of the octets of one field's ids that are read with the full grammar.
MAX_UNCOMMON = 32 * 1024
#: What an attempt at that costs beside the octets read, in octets.
ATTEMPT = 64
#: Limits of the references that are kept of one message: the first one, and the last ones (RFC 5322 3.6.4).
MOST_REFERENCES = 50
MAX_REFERENCES = 2048

#: An id without quotes, comments and domain literal.
_common = re.compile(rb'<([^<>"()\[\]\\]*+)>')
_white = re.compile(rb"[ \t\r\n\x00]+")


def message_ids(value: bytes, most: int = MAX_VALUE) -> list[str]:
    """Return the first valid ids (msg-id of RFC 5322 3.6.4) of a field's value. Time is linear."""
    found: list[str] = []
    patience = MAX_UNCOMMON
    pos = 0
    while len(found) < most:
        begin = value.find(b"<", pos) if patience > 0 else pos
        if begin < 0:
            break
        match = _common.match(value, begin) if patience > 0 else _common.search(value, begin)
        if match:
            raw, pos = _white.sub(b"", match[1]), match.end()
            left, at, right = raw.rpartition(b"@")
            valid = bool(left and at and right)
        elif patience <= 0:
            break
        else:
            raw, length = _uncommon(value[begin + 1 : begin + 1 + MAX_ID])
            valid = bool(raw)
            pos = begin + 1 + (length if valid else 0)
            patience -= ATTEMPT + length
        if valid and len(raw) <= MAX_ID:
            found.append(_text(raw))
    return found


def references(refers: bytes | None, in_reply_to: bytes | None) -> list[str]:
    """Return the references of a message, the oldest first: the ids of References, else the first one of In-Reply-To."""
    ids = message_ids(refers) if refers else []
    if not ids:
        return message_ids(in_reply_to, 1) if in_reply_to else []
    kept = deque([ids[-1]])
    left = MAX_REFERENCES - len(ids[0]) - len(ids[-1])
    for each in reversed(ids[1:-1]):
        left -= len(each) + 1
        if left < 0 or len(kept) >= MOST_REFERENCES - 1:
            break
        kept.appendleft(each)
    return [ids[0], *kept] if len(ids) > 1 else ids


def _uncommon(value: bytes) -> tuple[bytes, int]:
    """Read `id-left "@" id-right ">"` with the full grammar: the id (b"" if invalid) and the octets read."""
    lexer, words = Lexer(value), list[bytes]()
    if lexer.skip() != MORE:
        return b"", lexer.pos
    step = lexer.quoted_string(words) if lexer.at(b'"') else lexer.dot_atom(words)
    if step != MORE or not lexer.at(b"@"):
        return b"", lexer.pos
    words.append(b"@")
    if lexer.domain(words) != MORE or not lexer.at(b">"):
        return b"", lexer.pos
    return re.sub(rb"[\r\n\x00]", b"", b"".join(words)), lexer.pos


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
