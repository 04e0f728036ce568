"""Results of SEARCH and SORT: what RETURN asks for, and the responses (RFC 4731, RFC 5182, RFC 5267 3, RFC 9394)."""

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailstore_api.wire import MOST_RANGES, Ranges
from pop_imap_frontend.imap.folder.spans import merged
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No

#: Numbers that are written, or saved, between two turns of the event loop.
BLOCK = 10_000
NOT_SAVED = f"[NOTSAVED] at most {MOST_RANGES} ranges of messages are saved here"
_NAMES = frozenset(("MIN", "MAX", "ALL", "COUNT", "SAVE", "PARTIAL"))

#: Results by their place: from the first one, from 1 on, or back from the last one, from -1 on.
Page = tuple[int, int]


class Results(Protocol):
    """Messages found, in order."""

    def __len__(self) -> int: ...

    def numbers(self, low: int, high: int, *, by_uid: bool) -> Sequence[int]:
        """Return the UIDs, or the sequence numbers, of those from index `low` to before `high`."""


class ListedResults:
    """Results by their UIDs, all of which are in the view."""

    def __init__(self, uids: "array[int] | memoryview[int]", view: FolderView) -> None:
        self._uids = uids
        self._messages = view.messages

    def __len__(self) -> int:
        return len(self._uids)

    def numbers(self, low: int, high: int, *, by_uid: bool) -> Sequence[int]:
        uids = self._uids[low:high].tolist()
        return uids if by_uid else [self._messages.before(uid) + 1 for uid in uids]


async def known_results(uids: "array[int]", view: FolderView) -> ListedResults:
    """Return the results that mailstore lists; UIDs that the view does not know are left out. The event loop turns after blocks."""
    known, position = array("I"), view.messages.position
    for low in range(0, len(uids), BLOCK):
        known.extend([uid for uid in uids[low : low + BLOCK] if position(uid) is not None])
        await asyncio.sleep(0)
    return ListedResults(known, view)


@dataclass(slots=True)
class ReturnOptions:
    """The options of RETURN."""

    names: frozenset[str]
    page: Page | None = None
    page_text: str = ""

    @property
    def saves(self) -> bool:
        return "SAVE" in self.names

    @property
    def responds(self) -> bool:
        """Whether there is an ESEARCH response: SAVE alone has none (RFC 5182 1)."""
        return self.names != {"SAVE"}

    @property
    def only_ends(self) -> bool:
        """Whether of all results only the first or the last one is asked for."""
        return bool(self.names & {"MIN", "MAX"}) and not self.names & {"ALL", "COUNT", "PARTIAL"}


def parse_return(cursor: Cursor) -> ReturnOptions | None:
    """Parse `RETURN (...)` and the space after it, if it follows (RFC 4466 2.6.1). Raises BadCommand."""
    if cursor.data[cursor.pos : cursor.pos + 7].upper() != b"RETURN ":
        return None
    cursor.keyword()
    cursor.space()
    names: set[str] = set()
    options = ReturnOptions(frozenset())
    for _ in cursor.each("a list of result options"):
        name = cursor.keyword("a result option")
        if name not in _NAMES:
            raise BadCommand(f"{name} is not a result option")
        if name == "PARTIAL":
            if options.page is not None:
                raise BadCommand("a search has one PARTIAL")
            cursor.space()
            options.page, options.page_text = parse_page(cursor)
        names.add(name)
    if names >= {"ALL", "PARTIAL"}:
        raise BadCommand("a search has either ALL or PARTIAL")
    cursor.space()
    options.names = frozenset(names or {"ALL"})
    return options


def parse_page(cursor: Cursor) -> tuple[Page, str]:
    """Parse the range of a PARTIAL (RFC 9394 4); return it, the lower absolute value first, and as it was written."""
    start = cursor.pos
    back = cursor.accept(b"-")
    first = cursor.number()
    cursor.literal(b":")
    if back:
        cursor.literal(b"-")
    last = cursor.number()
    if not (0 < first < 2**32 and 0 < last < 2**32):
        raise BadCommand("a range of results has numbers from 1 to 4294967295")
    low, high = sorted((first, last))
    return ((-low, -high) if back else (low, high)), cursor.data[start : cursor.pos].decode("ascii")


def page_of(page: Page, count: int) -> tuple[int, int]:
    """Return the half-open range of indexes of a page of `count` results."""
    first, last = page
    low, high = (count + last, count + first + 1) if first < 0 else (first - 1, last)
    return max(0, low), max(0, min(high, count))


def esearch(tag: bytes, options: ReturnOptions, results: Results, modseq: int, *, by_uid: bool) -> Iterator[bytes]:
    """Yield the ESEARCH response in parts; `modseq` is 0 if it has none (RFC 4731 3.2)."""
    names, count = options.names, len(results)
    yield b'* ESEARCH (TAG "%b")%b' % (tag, b" UID" if by_uid else b"")
    if count and "MIN" in names:
        yield b" MIN %d" % results.numbers(0, 1, by_uid=by_uid)[0]
    if count and "MAX" in names:
        yield b" MAX %d" % results.numbers(count - 1, count, by_uid=by_uid)[0]
    if "COUNT" in names:
        yield b" COUNT %d" % count
    if count and "ALL" in names:
        yield b" ALL "
        yield from _set(results, 0, count, by_uid=by_uid)
    if options.page is not None:
        low, high = page_of(options.page, count)
        yield b" PARTIAL (%b " % options.page_text.encode()
        if low < high:
            yield from _set(results, low, high, by_uid=by_uid)
        yield b")" if low < high else b"NIL)"
    yield b" MODSEQ %d\r\n" % modseq if modseq and count else b"\r\n"


def listed(name: bytes, results: Results, modseq: int, *, by_uid: bool) -> Iterator[bytes]:
    """Yield the response SEARCH or SORT in parts; `modseq` is 0 if it has none (RFC 7162 3.1.5)."""
    yield b"* " + name
    for low in range(0, len(results), BLOCK):
        yield b"".join(map(b" %d".__mod__, results.numbers(low, low + BLOCK, by_uid=by_uid)))
    yield b" (MODSEQ %d)\r\n" % modseq if modseq and len(results) else b"\r\n"


def ends(options: ReturnOptions, results: Results) -> list[int]:
    """Return the UIDs that MIN and MAX name."""
    count = len(results)
    found = [results.numbers(0, 1, by_uid=True)[0]] if count and "MIN" in options.names else []
    return found + ([results.numbers(count - 1, count, by_uid=True)[0]] if count and "MAX" in options.names else [])


async def saved(options: ReturnOptions, results: Results, view: FolderView) -> Ranges:
    """Return what SAVE keeps (RFC 5182 2.4, RFC 9394 3.2): UIDs of adjacent messages as ranges. Raises No with NOTSAVED."""
    count = len(results)
    whole = bool(options.names & {"ALL", "COUNT"}) or not options.names & {"MIN", "MAX", "PARTIAL"}
    parts = [(0, count)] if whole else []
    if not whole:
        parts = [(0, min(1, count))] if "MIN" in options.names else []
        parts += [page_of(options.page, count)] if options.page is not None else []
        parts += [(max(0, count - 1), count)] if "MAX" in options.names else []
    runs: list[tuple[int, int]] = []
    for start, end in parts:
        for low in range(start, end, BLOCK):
            for number in sorted(results.numbers(low, min(low + BLOCK, end), by_uid=False)):
                at = number - 1
                if runs and runs[-1][1] == at:
                    runs[-1] = runs[-1][0], at + 1
                else:
                    runs.append((at, at + 1))
            if len(runs) > 2 * MOST_RANGES:
                raise No(NOT_SAVED)
            await asyncio.sleep(0)
    spans = merged(runs)
    if len(spans) > MOST_RANGES:
        raise No(NOT_SAVED)
    return view.uid_ranges(spans)


def _set(results: Results, start: int, end: int, *, by_uid: bool) -> Iterator[bytes]:
    """Yield a sequence set of the numbers, in their order, in parts."""
    first = last = 0
    separator = b""
    for low in range(start, end, BLOCK):
        text = []
        for number in results.numbers(low, min(low + BLOCK, end), by_uid=by_uid):
            if number == last + 1 and first:
                last = number
                continue
            if first:
                text.append(separator + _range(first, last))
                separator = b","
            first = last = number
        yield b"".join(text)
    yield separator + _range(first, last)


def _range(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)
