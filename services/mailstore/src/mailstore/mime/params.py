"""Content-Type, Content-Disposition, Content-Transfer-Encoding, Content-Language (RFC 2045 5 and 6, 2183, 3282).

Parameters of RFC 2231 keep their encoding, since clients decode them; only their continuations are joined.
"""

import re

from mailstore.mime.lexer import BAD, END, MORE, TOKEN, Lexer

#: One parameter, its value and its end. A field that does not match is parsed by `_tolerant_params`.
_param = re.compile(
    rb';[ \t\r\n]*([%b]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"\\\r\n]*)"|([%b]+))[ \t\r\n]*(?=;|\Z)' % (TOKEN, TOKEN)
).match
_type = re.compile(rb"[ \t\r\n]*([%b]+)/([%b]+)[ \t\r\n]*(?=;|\Z)" % (TOKEN, TOKEN)).match
_token = re.compile(rb"[ \t\r\n]*([%b]+)[ \t\r\n]*(?=;|\Z)" % TOKEN).match
#: RFC 2231 3 and 4: name*0, name*0*, name*.
_rfc2231 = re.compile(rb"([^*]*)\*(\d*)(\*?)\Z", re.S).match

Params = list[tuple[bytes, bytes]]


def content_type(value: bytes) -> tuple[bytes, bytes, Params]:
    """Parse Content-Type: type, subtype (empty if the field is malformed) and parameters, as written."""
    if match := _type(value):
        return match[1], match[2], _params(value, match.end())
    lexer = Lexer(value)
    lexer.skip()
    main: list[bytes] = []
    sub: list[bytes] = []
    step = lexer.token(main)
    if step != MORE or not lexer.at(b"/"):
        # A single word is returned as the type; RFC 2045 5.2 does not say how to read such a field.
        return (b"".join(main) if step == END else b""), b"", []
    lexer.pos += 1
    step = lexer.skip()
    step = lexer.token(sub) if step == MORE else BAD
    type_, subtype = b"".join(main), b"".join(sub)
    if not type_ or not subtype:
        return b"", b"", []
    return type_, subtype, [] if step == BAD else _tolerant_params(lexer)


def disposition(value: bytes) -> tuple[bytes, Params] | None:
    """Parse Content-Disposition (RFC 2183): its type and parameters; None if malformed."""
    if match := _token(value):
        return match[1], _params(value, match.end())
    lexer = Lexer(value)
    lexer.skip()
    word: list[bytes] = []
    if lexer.token(word) == BAD:
        return None
    return b"".join(word), _tolerant_params(lexer)


def encoding(value: bytes) -> bytes | None:
    """Parse Content-Transfer-Encoding (RFC 2045 6.1); None unless the field is one token."""
    lexer = Lexer(value)
    lexer.skip()
    word: list[bytes] = []
    if lexer.token(word) == BAD or lexer.skip() != END:
        return None
    return b"".join(word) or None


def languages(value: bytes) -> list[bytes]:
    """Parse Content-Language (RFC 3282): the tags as written."""
    lexer = Lexer(value)
    lexer.skip()
    tags: list[bytes] = []
    while True:
        tag: list[bytes] = []
        if lexer.atom(tag) == BAD and not tag:
            return tags
        tags.append(b"".join(tag))
        if not lexer.at(b","):
            return tags
        lexer.pos += 1
        lexer.skip()


def _params(value: bytes, pos: int) -> Params:
    """Parse parameters from `pos`, which is the end or a semicolon."""
    found: Params = []
    end = len(value)
    plain = True
    while pos < end:
        match = _param(value, pos)
        if match is None:
            return _tolerant_params(Lexer(value, pos), found)
        name, quoted, token = match.groups()
        if b"*" in name:
            plain = False
        found.append((name, token if quoted is None else quoted))
        pos = match.end()
    return found if plain else _join_continuations(found)


def _tolerant_params(lexer: Lexer, found: Params | None = None) -> Params:
    """Parse parameters of a malformed field or one with comments; text that cannot be read is skipped."""
    found = [] if found is None else found
    while lexer.pos < lexer.end:
        if not lexer.at(b";"):
            # Only a semicolon can begin a parameter.
            pos = lexer.value.find(b";", lexer.pos)
            if pos < 0:
                break
            lexer.pos = pos
        if (one := _one_param(lexer)) is not None:
            found.append(one)
        elif lexer.pos < lexer.end:
            lexer.pos += 1
    return _join_continuations(found)


def _one_param(lexer: Lexer) -> tuple[bytes, bytes] | None:
    lexer.pos += 1
    name: list[bytes] = []
    if lexer.skip() != MORE or lexer.token(name) != MORE or not lexer.at(b"="):
        return None
    lexer.pos += 1
    value: list[bytes] = []
    step = lexer.skip()
    if step == MORE:
        if lexer.at(b'"'):
            step = lexer.quoted_string(value)
        elif lexer.at(b"="):
            # An encoded-word where none is allowed, name==?utf-8?b?...?=, up to a semicolon or white space.
            start = lexer.pos
            while lexer.pos < lexer.end and lexer.value[lexer.pos] not in b"; \t\r\n":
                lexer.pos += 1
            value.append(lexer.value[start : lexer.pos])
        else:
            step = lexer.token(value)
    return None if step == BAD else (b"".join(name), b"".join(value))


def _join_continuations(found: Params) -> Params:
    """Join name*0, name*1 ... (RFC 2231 3) to one value, of name* if any piece is encoded; these follow the others, sorted."""
    plain: Params = []
    pieces: list[tuple[bytes, int, bool, bytes]] = []
    for name, value in found:
        match = _rfc2231(name) if b"*" in name else None
        if match is None:
            plain.append((name, value))
            continue
        number, star = match[2], match[3]
        # "name*" alone is an encoded value, not a continuation.
        encoded = bool(star) or not number
        pieces.append((match[1], int(number[:9] or b"0"), encoded, value))
    if not pieces:
        return plain
    pieces.sort(key=lambda piece: piece[:2])
    at = 0
    while at < len(pieces):
        name = pieces[at][0]
        upto = at + 1
        while upto < len(pieces) and pieces[upto][0].lower() == name.lower():
            upto += 1
        plain += _joined(name, pieces[at:upto])
        at = upto
    return plain


def _joined(name: bytes, pieces: list[tuple[bytes, int, bool, bytes]]) -> Params:
    if any(number != index for index, (_, number, _, _) in enumerate(pieces)):
        # A piece is missing: return all as they are.
        return [(b"%b*%d%b" % (key, number, b"*" if encoded else b""), value) for key, number, encoded, value in pieces]
    if not any(encoded for _, _, encoded, _ in pieces):
        return [(name, b"".join(value for *_, value in pieces))]
    whole = b"" if pieces[0][2] else b"''"
    whole += b"".join(value if encoded else value.replace(b"%", b"%25") for _, _, encoded, value in pieces)
    return [(name + b"*", whole)]
