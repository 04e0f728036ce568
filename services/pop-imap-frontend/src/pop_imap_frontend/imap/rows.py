"""FETCH responses (RFC 3501 7.4.2): the format of each row, and large values passed on in pieces."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import compress, repeat
from typing import Any

from mailkit.errors import PostriderError
from mailkit.net.stream import Stream
from mailkit.process.report import report
from mailstore_api.wire import BINARY, BINARY_SIZE, LAZY_PREVIEW, PREVIEW
from pop_imap_frontend.imap.fetch import FetchItems
from pop_imap_frontend.imap.folder.spans import Spans, sliced
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.modseqs import MessageModseqs
from pop_imap_frontend.imap.responses import internal_date, literal, quoted

Render = Callable[[Any], bytes]


def _size(value: Any) -> bytes:
    return b"%d" % value


def _section_value(value: Any) -> bytes:
    if type(value) is int:  # a size: the octets follow in pieces
        return b"{%d}\r\n" % value
    return b"NIL" if value is None else literal(value)


def _preview(value: Any) -> bytes:
    return quoted(value or b"")


def _lazy_preview(value: Any) -> bytes:
    return b"NIL" if value is None else quoted(value)


def _binary(value: Any) -> bytes:
    """A literal8, which may hold NUL octets (RFC 3516 4.2)."""
    return b"NIL" if value is None else b"~" + _section_value(value)


def _binary_size(value: Any) -> bytes:
    return bytes(value or b"0")  # a lost body has no size


_SECTION_RENDER: dict[str, Render] = {
    PREVIEW: _preview,
    LAZY_PREVIEW: _lazy_preview,
    BINARY: _binary,
    BINARY_SIZE: _binary_size,
}
_FROM_VIEW = {"uid": b"UID %d", "flags": b"FLAGS (%b)", "modseq": b"MODSEQ (%d)", "threadid": b"THREADID %b"}


def _save_date(value: Any) -> bytes:
    return b"NIL" if value is None else internal_date(value)


def _email_id(value: Any) -> bytes:
    return b"(%b)" % value.encode()


_COLUMN_RENDER: dict[str, Render] = {
    "RFC822.SIZE": _size,
    "INTERNALDATE": internal_date,
    "SAVEDATE": _save_date,
    "EMAILID": _email_id,
}


class RowWriter:
    """Writer of the FETCH responses of one command; labels and positions of the values are computed once."""

    def __init__(self, items: FetchItems, view: FolderView, modseqs: MessageModseqs | None = None) -> None:
        self._view = view
        self._modseqs = modseqs or MessageModseqs(b"", b"", view.modseq)
        self._first_section = 1 + len(items.columns)
        self._has_binary = any(section.text in (BINARY, BINARY_SIZE) for section in items.sections)
        self.unknown_encoding = False
        """Whether a message was left out, because a part of it cannot be decoded."""
        self._labels = [label for label, _ in items.parts]
        self._plan: list[tuple[str, int, Render | None]] = []
        for _, source in items.parts:
            if isinstance(source, str):
                self._plan.append((source, 0, None))
            elif source[0] == "column":
                self._plan.append(("value", 1 + source[1], _COLUMN_RENDER.get(items.columns[source[1]])))
            else:
                render = _SECTION_RENDER.get(items.sections[source[1]].text, _section_value)
                self._plan.append(("value", self._first_section + source[1], render))

    def from_view(self, spans: Spans) -> Iterator[bytes]:
        """Yield responses with FLAGS, UID and MODSEQ only, which need no rows from mailstore, in blocks."""
        kinds = [kind for kind, _, _ in self._plan]
        row = b"* %%d FETCH (%b)\r\n" % b" ".join(_FROM_VIEW[kind] for kind in kinds)
        for block in sliced(spans):
            lines: list[bytes] = []
            for span in block:
                for numbers, uids, texts in self._view.rows(*span):
                    values: dict[str, Iterable[Any]] = {
                        "uid": uids,
                        "flags": texts,
                        "modseq": map(self._modseqs.of, uids),
                        "threadid": repeat(b"NIL", len(uids)),
                    }
                    lines += map(row.__mod__, zip(numbers, *(values[kind] for kind in kinds), strict=True))
            yield b"".join(lines)

    def from_rows(self, rows: list[list[Any]]) -> bytes:
        """Return responses for a slice of mailstore's rows; rows of messages not in the view are skipped."""
        labels = b" ".join([label.replace(b"%", b"%%") + b"%b" for label in self._labels])
        return b"".join(map((b"* %%d FETCH (%b)\r\n" % labels).__mod__, self._values(rows)))

    def has_large(self, row: list[Any]) -> bool:
        """Return whether a section of `row` follows it in pieces."""
        return any(type(value) is int for value in row[self._first_section :])

    def large(self, row: list[Any]) -> tuple[list[bytes], list[int]]:
        """Return the texts around the large values of a row's response and the sizes of these; no texts if not in the view."""
        sizes = [value for value in row[self._first_section :] if type(value) is int]
        texts: list[bytes] = []
        for number, *values in self._values([row]):
            text = b"* %d FETCH (" % number
            for (_, index, _), label, value in zip(self._plan, self._labels, values, strict=True):
                text += label + value
                if index >= self._first_section and type(row[index]) is int:
                    texts.append(text)
                    text = b""
                text += b" "
            texts.append(text[:-1] + b")\r\n")
        return texts, sizes

    def _values(self, rows: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
        """Yield the sequence number and the values, without labels, of each row whose message is in the view."""
        if self._has_binary:
            rows = [row for row in rows if not self._is_unknown(row)]
        places = self._view.places([row[0] for row in rows])
        rows = list(compress(rows, places))
        numbers, flags = zip(*filter(None, places), strict=True) if rows else ((), ())
        columns: list[Iterable[bytes]] = []
        for kind, index, render in self._plan:
            if kind == "value":
                column = [row[index] for row in rows]
                columns.append(column if render is None else map(render, column))
            elif kind == "uid":
                columns.append([b"%d" % row[0] for row in rows])
            elif kind == "threadid":  # messages are not put into threads when they come (RFC 8474 5.2)
                columns.append(repeat(b"NIL", len(rows)))
            elif kind == "modseq":
                columns.append([b"(%d)" % self._modseqs.of(row[0]) for row in rows])
            else:
                columns.append([b"(%b)" % text for text in flags])
        return zip(numbers, *columns, strict=True)

    def _is_unknown(self, row: list[Any]) -> bool:
        """Whether a part of the message cannot be decoded (RFC 3516 4.3)."""
        unknown = self._has_binary and any(value is False for value in row[self._first_section :])
        self.unknown_encoding |= unknown
        return unknown


async def send_rows(stream: Stream, writer: RowWriter, frames: AsyncIterator[list[list[Any]] | bytes]) -> None:
    """Write mailstore's answer, no faster than the client reads; only one piece of a large value is in memory.

    Raises what `frames` raises, and ConnectionAbortedError if it ends inside a value, where no response can be sent.
    """
    texts: list[bytes] = []
    sizes: list[int] = []  # octets still to come of each value
    try:
        async for frame in frames:
            if isinstance(frame, bytes):
                if texts:
                    stream.write(frame)
                sizes[0] -= len(frame)
                if not sizes[0]:
                    del sizes[0]
                    stream.write(texts.pop(0) if texts else b"")
            elif frame and writer.has_large(frame[-1]):
                stream.write(writer.from_rows(frame[:-1]))
                texts, sizes = writer.large(frame[-1])
                stream.write(texts.pop(0) if texts else b"")
            else:
                stream.write(writer.from_rows(frame))
            await stream.drain()
    except PostriderError as error:
        if not sizes:
            raise
        report(error, "fetch")
    if sizes:
        stream.abort()
        raise ConnectionAbortedError("the value broke off")
