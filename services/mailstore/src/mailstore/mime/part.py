"""One part of a message: its position, its Content-* fields, and its kind (RFC 2045)."""

from mailstore.mime import params
from mailstore.mime.headers import split_fields, value_of

LEAF, TEXT, MULTIPART, MESSAGE, OPAQUE = range(5)

_CONTENT = {
    b"content-type": "type",
    b"content-transfer-encoding": "encoding",
    b"content-id": "id",
    b"content-description": "description",
    b"content-disposition": "disposition",
    b"content-md5": "md5",
    b"content-language": "language",
    b"content-location": "location",
    b"mime-version": "version",
}
#: The fields of an ENVELOPE (RFC 3501 7.4.2), and References, by which THREAD finds a message's ancestors (RFC 5256 3).
MESSAGE_FIELDS = frozenset(b"date subject from sender reply-to to cc bcc in-reply-to message-id references".split())


class Part:
    """One node of the tree: offsets into the body (octets) and the Content-* fields as read. The root is the message itself.

    `start`..`body` is the header with its blank line, `body`..`end` the content.
    """

    __slots__ = (
        "body",
        "children",
        "description",
        "digest",
        "disposition",
        "encoding",
        "end",
        "fields",
        "id",
        "kind",
        "language",
        "location",
        "md5",
        "params",
        "parent",
        "start",
        "subtype",
        "type",
    )

    def __init__(self, start: int, parent: "Part | None") -> None:
        self.start = self.body = self.end = start
        self.parent = parent
        self.kind = TEXT
        #: Type and subtype as written; type None: no valid Content-Type, so text/plain.
        self.type: bytes | None = None
        self.subtype = b""
        self.params: params.Params = []
        self.encoding: bytes | None = None
        self.id: bytes | None = None
        self.description: bytes | None = None
        self.md5: bytes | None = None
        self.disposition: tuple[bytes, params.Params] | None = None
        self.language: list[bytes] = []
        self.location: bytes | None = None
        self.digest = False
        self.children: list[Part] = []
        #: MESSAGE_FIELDS of a message's own header: values in order, by lower-case name.
        self.fields: dict[bytes, list[bytes]] = {}


def read_fields(part: Part, block: bytes) -> None:
    """Set the fields and the kind of `part` from its header."""
    parent = part.parent
    is_message = parent is None or parent.kind == MESSAGE
    mime = not is_message
    for field in split_fields(block):
        name, colon, raw = field.partition(b":")
        name = name.rstrip(b" \t").lower()
        if name in MESSAGE_FIELDS:
            if is_message and colon:
                part.fields.setdefault(name, []).append(value_of(raw))
        elif (what := _CONTENT.get(name)) is not None and colon:
            if what == "version" or what == "type":
                mime = True
            _content_field(part, what, value_of(raw))
    if not mime:
        # Without MIME-Version and Content-Type, other Content-* fields have no meaning (RFC 2045 4).
        part.encoding = part.id = part.description = part.md5 = part.disposition = part.location = None
        part.language = []
    part.kind = _kind(part)


def _content_field(part: Part, what: str, value: bytes) -> None:
    """Set one Content-* field; the first one of a name applies."""
    if what == "type":
        if part.type is None:
            part.type, part.subtype, part.params = params.content_type(value)
    elif what == "encoding":
        if part.encoding is None:
            part.encoding = params.encoding(value)
    elif what == "disposition":
        if part.disposition is None or not part.disposition[1]:
            part.disposition = params.disposition(value) or part.disposition
    elif what == "language":
        part.language = part.language or params.languages(value)
    elif what != "version" and getattr(part, what) is None:
        setattr(part, what, value)


def _kind(part: Part) -> int:
    if part.type is None:
        # RFC 2046 5.1.5: in a digest the default is message/rfc822.
        return MESSAGE if part.parent is not None and part.parent.digest else TEXT
    kind = part.type.lower()
    if kind == b"text":
        return TEXT
    if kind == b"multipart" and not part.subtype:
        return OPAQUE
    if kind == b"multipart":
        part.digest = part.subtype.lower() == b"digest"
        return MULTIPART
    if kind == b"message" and part.subtype.lower() in (b"rfc822", b"global"):  # RFC 6532 3.7, RFC 9051 7.5.2
        return MESSAGE
    return LEAF
