"""ENVELOPE, BODY and BODYSTRUCTURE of a scanned part, as IMAP sends them (RFC 3501 7.4.2)."""

from mailstore.mime.address import Patience, address_list
from mailstore.mime.params import Params
from mailstore.mime.part import MESSAGE, MULTIPART, OPAQUE, TEXT, Part
from mailstore.mime.quote import NIL, nstring, one_line, text

#: Limit of a message's BODYSTRUCTURE (octets): a message beyond it is shown as one opaque part.
MAX_STRUCTURE = 1024 * 1024
#: Octets after which further fields of one name are not added to an address list.
MAX_MERGED = 128 * 1024

_DEFAULT_CHARSET = b'"charset" "us-ascii"'
_NO_PARTS = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'


def envelope(fields: dict[bytes, list[bytes]]) -> bytes:
    """Return `(date subject from sender reply-to to cc bcc in-reply-to message-id)`."""

    def last(name: bytes) -> bytes | None:
        values = fields.get(name)
        return values[-1] if values else None

    patience = Patience()

    def addresses(name: bytes) -> bytes:
        values = fields.get(name)
        if not values:
            return NIL
        # RFC 5322 3.6 allows one field of each name; of several, all addresses are listed.
        return address_list(values[0], patience) if len(values) == 1 else _merged(values, patience)

    from_ = addresses(b"from")
    sender = addresses(b"sender")
    reply_to = addresses(b"reply-to")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        one_line(last(b"date")),
        text(last(b"subject")),
        from_,
        # RFC 3501 7.4.2: From, if absent or empty.
        from_ if sender == NIL else sender,
        from_ if reply_to == NIL else reply_to,
        addresses(b"to"),
        addresses(b"cc"),
        addresses(b"bcc"),
        one_line(last(b"in-reply-to")),
        one_line(last(b"message-id")),
    )


def _merged(values: list[bytes], patience: Patience) -> bytes:
    """One list of several fields of a name, up to MAX_MERGED octets."""
    found: list[bytes] = []
    size = 0
    for value in values:
        listed = address_list(value, patience)
        if listed != NIL:
            found.append(listed[1:-1])
            size += len(listed)
        if size > MAX_MERGED:
            break
    return b"(%b)" % b"".join(found) if found else NIL


def structure_of(data: bytes, root: Part) -> tuple[bytes, bytes]:
    """Return BODY and BODYSTRUCTURE of a message. One beyond MAX_STRUCTURE loses its parts, also in the tree."""
    pair = body_structure(data, root)
    if len(pair[1]) > MAX_STRUCTURE:
        root.kind, root.params, root.children = OPAQUE, [], []
        root.id = root.description = root.md5 = root.disposition = root.location = None
        root.encoding, root.language = None, []
        pair = body_structure(data, root)
    return pair


def body_structure(data: bytes, part: Part) -> tuple[bytes, bytes]:
    """Return BODY and BODYSTRUCTURE of one part, in parentheses. Recursion is bounded by `structure.MAX_DEPTH`."""
    if part.kind == MULTIPART:
        return _multipart(data, part)
    size = part.end - part.body
    if part.kind == OPAQUE:
        head = b'"application" "octet-stream" %b' % _params(part.params)
    elif part.kind == MESSAGE:
        subtype = b"global" if part.subtype.lower() == b"global" else b"rfc822"
        head = b'"message" "%b" %b' % (subtype, _params(part.params))
    elif part.type is None:
        head = b'"text" "plain" (%b)' % _DEFAULT_CHARSET
    else:
        parameters = _text_params(part.params) if part.kind == TEXT else _params(part.params)
        head = b"%b %b %b" % (nstring(part.type), nstring(part.subtype), parameters)
    encoding = b'"7bit"' if part.encoding is None else nstring(part.encoding)
    head = b"(%b %b %b %b %d" % (head, one_line(part.id), one_line(part.description), encoding, size)
    body = extended = head
    if part.kind == TEXT:
        body = extended = b"%b %d" % (head, data.count(b"\n", part.body, part.end))
    elif part.kind == MESSAGE:
        child = part.children[0]
        inner, inner_extended = body_structure(data, child)
        lines = data.count(b"\n", part.body, part.end)
        head = b"%b %b" % (head, envelope(child.fields))
        body = b"%b %b %d" % (head, inner, lines)
        extended = b"%b %b %d" % (head, inner_extended, lines)
    return body + b")", b"%b %b %b)" % (extended, one_line(part.md5), _common(part))


def _multipart(data: bytes, part: Part) -> tuple[bytes, bytes]:
    subtype = nstring(part.subtype)
    if part.children:
        pairs = [body_structure(data, child) for child in part.children]
        body = b"".join([pair[0] for pair in pairs])
        extended = b"".join([pair[1] for pair in pairs])
    else:
        # RFC 3501 has no multipart without parts: an empty text part takes their place.
        body = _NO_PARTS + b")"
        extended = _NO_PARTS + b" NIL NIL NIL NIL)"
    return b"(%b %b)" % (body, subtype), b"(%b %b %b %b)" % (extended, subtype, _params(part.params), _common(part))


def _common(part: Part) -> bytes:
    """Disposition, language and location, which end each extended form."""
    if part.disposition is None:
        disposition = NIL
    else:
        disposition = b"(%b %b)" % (nstring(part.disposition[0]), _params(part.disposition[1]))
    language = b"(%b)" % b" ".join([nstring(tag) for tag in part.language]) if part.language else NIL
    return b"%b %b %b" % (disposition, language, one_line(part.location))


def _params(pairs: Params) -> bytes:
    if not pairs:
        return NIL
    return b"(%b)" % b" ".join([b"%b %b" % (nstring(name), nstring(value)) for name, value in pairs])


def _text_params(pairs: Params) -> bytes:
    written = [b"%b %b" % (nstring(name), nstring(value)) for name, value in pairs]
    if not any(name.lower() == b"charset" for name, _ in pairs):
        written.append(_DEFAULT_CHARSET)
    return b"(%b)" % b" ".join(written)
