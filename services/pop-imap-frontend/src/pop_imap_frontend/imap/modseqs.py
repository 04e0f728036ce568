"""MODSEQs of messages, and the UIDs that have gone since one (RFC 7162), in blocks between which the event loop may turn."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from mailstore_api.wire import Ranges
from pop_imap_frontend.imap.folder.messages import BLOCK, FolderMessages
from pop_imap_frontend.imap.folder.spans import merged
from pop_imap_frontend.imap.grammar import SequenceSet
from pop_imap_frontend.imap.responses import number_set

#: Ranges in one VANISHED response.
_RANGES_A_LINE = 500


class MessageModseqs:
    """MODSEQs by UID, as of the MODSEQ `top` of the view, so that flags of the view and these agree.

    A message that changed after `top`, or of which nothing is known, was last changed at `top` at the latest.
    """

    def __init__(self, uids: bytes, modseqs: bytes, top: int) -> None:
        self.uids = array("I", uids)
        self._modseqs = array("Q", modseqs)
        self._top = top

    def of(self, uid: int) -> int:
        """Return the MODSEQ of a message."""
        at = bisect_left(self.uids, uid)
        if at < len(self.uids) and self.uids[at] == uid:
            return min(self._modseqs[at], self._top)
        return self._top


def known_ranges(numbers: SequenceSet, last: int) -> Ranges:
    """Return a client's set of UIDs as ascending ranges without those above `last`, for which `*` stands, too."""
    spans = []
    for first, second in numbers:
        low, high = sorted((last if first is None else first, last if second is None else second))
        spans.append((low, min(high, last) + 1))
    return [(low, end - 1) for low, end in merged(spans)]


def vanished(uids: bytes, known: Ranges, present: FolderMessages) -> Iterator[bytes]:
    """Yield VANISHED (EARLIER) responses for those of ascending `uids` that are in `known` and not in the view."""
    gone = array("I", uids)
    for low, high in known:
        start, end = bisect_left(gone, low), bisect_right(gone, high)
        while start < end:
            stop = min(end, start + BLOCK)
            yield _earlier(number_set([uid for uid in gone[start:stop] if present.position(uid) is None]))
            start = stop


def absent(known: Ranges, present: FolderMessages) -> Iterator[bytes]:
    """Yield VANISHED (EARLIER) responses for all UIDs of `known` that are not in the view (RFC 7162 3.2.10.1)."""
    gaps: list[bytes] = []
    for low, high in known:
        for first, last in _gaps(low, high, present):
            gaps.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
            if len(gaps) == _RANGES_A_LINE:
                yield _earlier(b",".join(gaps))
                gaps = []
    yield _earlier(b",".join(gaps))


def _gaps(low: int, high: int, present: FolderMessages) -> Iterator[tuple[int, int]]:
    """Yield the ranges from `low` to `high` without a message."""
    for _, chunk, part in present.pieces(present.before(low), present.before(high + 1)):
        uids = chunk.uids[part]
        runs = [(uids[0], uids[-1])] if isinstance(uids, range) else [(uid, uid) for uid in uids]
        for first, last in runs:
            if first > low:
                yield low, first - 1
            low = last + 1
    if low <= high:
        yield low, high


def _earlier(uids: bytes) -> bytes:
    return b"* VANISHED (EARLIER) %b\r\n" % uids if uids else b""
