"""The MIME tree of a message, built in one pass over the body that copies only headers (RFC 2046 5.1, 5.2).

A delimiter line need only begin with the boundary (RFC 2046 5.1.1); if several open boundaries match, the longest one
applies, the innermost of equals. Time is bounded by limits on parts, nesting and header octets: a part beyond them is
shown as one opaque `application/octet-stream`.
"""

from mailstore.mime.headers import blank_line
from mailstore.mime.part import MESSAGE, MULTIPART, OPAQUE, Part, read_fields

MAX_PARTS = 1000
MAX_DEPTH = 50
#: Header octets of one message that are parsed, for all parts together.
MAX_HEADER_BYTES = 256 * 1024
#: RFC 2046 5.1.1 allows 70 octets; of longer ones only the beginning is compared.
MAX_BOUNDARY = 80


class _Boundary:
    """An open multipart: its delimiter with the LF before it, and the offset of its last occurrence (-1: none yet)."""

    __slots__ = ("delimiter", "part", "seen")

    def __init__(self, part: Part, boundary: bytes) -> None:
        self.part = part
        self.delimiter = b"\n--" + boundary
        self.seen = -1


class _Scan:
    """One pass over a body; see `scan`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.open: list[_Boundary] = []
        self.parts = 1
        self.header_bytes = 0

    def next_delimiter(self, pos: int) -> tuple[int, _Boundary | None]:
        """Find the next delimiter line of any open multipart from `pos`: the offset of the LF before it, and its boundary.

        The end of the body and None if there is none.
        """
        data = self.data
        limit, best = len(data), None
        # Outermost first: an inner boundary is searched only up to the next outer one.
        for boundary in self.open:
            seen = boundary.seen
            size = len(boundary.delimiter)
            if seen < pos:
                upto = limit if best is None else limit + size
                seen = boundary.seen = data.find(boundary.delimiter, pos, upto)
                if seen < 0:
                    if best is None:
                        boundary.seen = len(data)
                    continue
            if seen < limit or (seen == limit and best is not None and size >= len(best.delimiter)):
                limit, best = seen, boundary
        return limit, best

    def end_before(self, part: Part, found: _Boundary, newline: int) -> Part:
        """End `part` and all around it up to the multipart of the delimiter at `newline`; return that multipart.

        The line end before a delimiter belongs to it (RFC 2046 5.1.1), also where it would end a header or be its blank line.
        """
        chain = []
        while part is not found.part:
            chain.append(part)
            part = part.parent  # type: ignore[assignment]
        if chain:
            end = newline - 1 if self.data[newline - 1 : newline] == b"\r" else newline
            end = max(end, chain[-1].start)
            for one in chain:
                one.start, one.body, one.end = min(one.start, end), min(one.body, end), end
        return part

    def read_header(self, part: Part, limit: int) -> bool:
        """Read the header at `part.start`, up to the offset `limit`. False if it has no blank line."""
        data = self.data
        body = blank_line(data, part.start, limit)
        complete = body >= 0
        if not complete:
            body = limit
        part.body = part.end = body
        left = MAX_HEADER_BYTES - self.header_bytes
        self.header_bytes += body - part.start
        if left <= 0:
            part.kind = OPAQUE
            return complete
        read_fields(part, data[part.start : min(body, part.start + left)])
        return complete

    def run(self) -> Part:
        """Scan the body and return the root of the tree."""
        data = self.data
        root = part = Part(0, None)
        depth = 0
        while True:
            newline, found = self.next_delimiter(part.start - 1) if self.open else (len(data), None)
            complete = self.read_header(part, newline + 1 if found else len(data))
            if part.kind in (MULTIPART, MESSAGE) and (depth >= MAX_DEPTH or self.parts >= MAX_PARTS):
                part.kind = OPAQUE
            pos = newline if found else part.body - 1
            if part.kind == MESSAGE:
                depth += 1
                self.parts += 1
                child = Part(part.body, part)
                part.children.append(child)
                part = child
                if complete:
                    continue
                pos = newline
            elif part.kind == MULTIPART and complete and (boundary := _boundary_of(part)):
                depth += 1
                pos = part.body - 1
                self.open.append(_Boundary(part, boundary))
            following = self.advance(part, pos)
            if following is None:
                return root
            part, depth = following

    def advance(self, part: Part, pos: int) -> tuple[Part, int] | None:
        """Skip delimiters from `pos` until one begins a new part; return the part and its depth, None at the end."""
        data = self.data
        while True:
            newline, found = self.next_delimiter(pos)
            if found is None:
                _end_all(part, len(data))
                return None
            part = self.end_before(part, found, newline)
            after = newline + len(found.delimiter)
            closing = data.startswith(b"--", after)
            while self.open.pop() is not found:
                pass
            line_end = data.find(b"\n", after)
            if line_end < 0:
                _end_all(part, len(data))
                return None
            if closing:
                pos = line_end
                continue
            if self.parts >= MAX_PARTS:
                # The rest of the message stays in the multipart and is not shown.
                _end_all(part, len(data))
                return None
            self.open.append(found)
            self.parts += 1
            child = Part(line_end + 1, part)
            part.children.append(child)
            return child, _depth(child)


def scan(data: bytes) -> Part:
    """Return the MIME tree of a message."""
    return _Scan(data).run()


def _end_all(part: Part | None, end: int) -> None:
    while part is not None:
        part.end = max(part.body, end)
        part = part.parent


def _depth(part: Part) -> int:
    depth = 0
    while part.parent is not None:
        part = part.parent
        depth += 1
    return depth


def _boundary_of(part: Part) -> bytes | None:
    """The boundary parameter. Without one, or with an empty one (RFC 2046 5.1.1 requires a character), no multipart opens."""
    for name, value in part.params:
        if name.lower() == b"boundary":
            return value[:MAX_BOUNDARY]
    return None
