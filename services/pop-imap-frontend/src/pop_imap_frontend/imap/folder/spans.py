"""Positions of messages as spans: ascending, separate, half-open ranges."""

from collections.abc import Iterator

from pop_imap_frontend.imap.folder.messages import BLOCK

#: Half-open ranges of positions.
Spans = list[tuple[int, int]]


def merged(spans: Spans) -> Spans:
    """Return the same positions in ascending order and the fewest spans."""
    found: Spans = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def common(left: Spans, right: Spans) -> Spans:
    """Return the positions that are in both of two ascending lists."""
    found: Spans = []
    at = 0
    for start, end in left:
        while at < len(right) and right[at][1] <= start:
            at += 1
        other = at
        while other < len(right) and right[other][0] < end:
            found.append((max(start, right[other][0]), min(end, right[other][1])))
            other += 1
    return found


def runs(selected: bytes, first: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the octets that are 1; the one at index 0 has position `first`."""
    end = 0
    while (start := selected.find(1, end)) >= 0:
        end = selected.find(0, start)
        if end < 0:
            end = len(selected)
        yield first + start, first + end


def sliced(spans: Spans) -> Iterator[Spans]:
    """Yield the same positions in lists of at most BLOCK of them, each an equal part of the work."""
    part: Spans = []
    room = BLOCK
    for start, end in spans:
        while start < end:
            stop = min(end, start + room)
            part.append((start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield part
                part, room = [], BLOCK
    if part:
        yield part
