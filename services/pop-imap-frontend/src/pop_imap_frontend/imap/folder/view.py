"""A session's view of its selected folder: the UID and the flags of each sequence number (RFC 3501 2.3.1.2).

The view changes only together with responses to the client, so sequence numbers mean the same on both sides.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mailstore_api.wire import MOST_RANGES, Changes, FolderSnapshot, Ranges
from pop_imap_frontend.imap.folder.chunk import unseen
from pop_imap_frontend.imap.folder.messages import BLOCK, blocks, masks_of, uids_of
from pop_imap_frontend.imap.folder.shared import FolderState, SharedFolder
from pop_imap_frontend.imap.folder.spans import Spans, merged, runs
from pop_imap_frontend.imap.grammar import SequenceSet
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.responses import RECENT, FlagNames, number_set


def modseqs_of(packed: bytes) -> "array[int]":
    return array("Q", packed)


TOO_MANY_RANGES = f"[LIMIT] a command names at most {MOST_RANGES} ranges of messages here"

#: Limit of the ranges of messages that are \Recent in a session. Beyond it the two oldest become one: what is between, which
#: another session was told of first, counts as \Recent, too (RFC 3501 2.3.2 allows it if a server cannot tell).
MOST_RECENT = 100
#: Messages between the first and the last of some UIDs, for each UID, up to which all of them are looked at in one pass.
_DENSE = 4


class FolderView:
    """The selected folder, even if it was renamed. Positions are 0-based; sequence numbers on the wire are one more."""

    def __init__(self, folder: SharedFolder, snapshot: FolderSnapshot, state: FolderState, read_only: bool) -> None:
        self.folder = folder
        self.folder_id = snapshot.folder_id
        self.uidvalidity = snapshot.uidvalidity
        self.read_only = read_only
        self.modseq, self.uidnext, self.names, self.messages = state
        self.condstore = self.qresync = False
        """Whether responses have MODSEQs, and VANISHED takes the place of EXPUNGE (RFC 7162)."""
        self.saved: Ranges = []
        """UIDs of the messages that the last SEARCH saved (RFC 5182); empty at SELECT."""
        self._shows_recent = True
        self._recent = [(snapshot.recent_from, snapshot.uidnext - 1)] if snapshot.recent_from else []

    # -- numbers

    def __len__(self) -> int:
        return len(self.messages)

    def is_recent(self, uid: int) -> bool:
        return any(low <= uid <= high for low, high in self._recent)

    def recent_count(self) -> int:
        return sum(end - start for start, end in self._recent_spans())

    def _recent_spans(self) -> Spans:
        return [(self.messages.before(low), self.messages.before(high + 1)) for low, high in self._recent]

    def leave_out_recent(self) -> None:
        """Treat no message as \\Recent, and send no RECENT responses (RFC 9051 has neither)."""
        self._shows_recent = False
        self._recent = []

    def _text(self, uid: int, mask: int) -> bytes:
        return self.names[mask | RECENT if self._recent and self.is_recent(uid) else mask]

    def rows(self, start: int, end: int) -> Iterator[tuple[range, Sequence[int], list[bytes]]]:
        """Yield sequence numbers, UIDs and texts of FLAGS of the messages from position `start` to before `end`, in parts."""
        ends = {end, *(at for span in self._recent_spans() for at in span if start < at < end)}
        for low, high in pairwise([start, *sorted(ends)]):
            recent = RECENT if self._recent and self.is_recent(self.messages.uid(low)) else 0
            for first, chunk, part in self.messages.pieces(low, high):
                codes = chunk.codes[part]
                texts = [self.names[mask | recent] for mask in chunk.masks]
                numbers = range(first + 1, first + 1 + len(codes))
                yield numbers, chunk.uids[part], [texts[code] for code in codes]

    def places(self, uids: Sequence[int]) -> list[tuple[int, bytes] | None]:
        """Return the sequence number and the text of FLAGS of each of ascending `uids`; None for one that is not here."""
        if not uids:
            return []
        start, end = self.messages.before(uids[0]), self.messages.before(uids[-1] + 1)
        if end - start > _DENSE * len(uids):
            return [place for uid in uids for place in self.places((uid,))]
        places: dict[int, tuple[int, bytes]] = {}
        for numbers, known, texts in self.rows(start, end):
            places.update(zip(known, zip(numbers, texts, strict=True), strict=True))
        return [places.get(uid) for uid in uids]

    def spans(self, numbers: SequenceSet | None, by_uid: bool, *, must_exist: bool = True) -> Spans:
        """Return the positions a set names, as ascending, separate spans, so that repetitions in the set cost no memory.

        None is the saved result of a search, `$` (RFC 5182).

        Raises BadCommand for a number beyond the last message, unless `must_exist` is False: then it names nothing.
        """
        if numbers is None:
            return merged([(self.messages.before(low), self.messages.before(high + 1)) for low, high in self.saved])
        spans: Spans = []
        count = len(self)
        top = self.messages.last_uid() if by_uid else count
        for first, last in numbers:
            low, high = sorted((top if first is None else first, top if last is None else last))
            if by_uid:
                spans.append((self.messages.before(low), self.messages.before(high + 1)))
            else:
                open_end = first is None or last is None
                if high > count and not open_end and must_exist:
                    raise BadCommand("there is no message with that number")
                if open_end:
                    low = min(low, count)  # `9:*` of three messages is the third
                spans.append((max(low, 1) - 1, min(high, count)))
        return merged(spans)

    def spans_of(self, uids: "array[int]") -> Spans:
        """Return the positions of ascending `uids` that are in the view."""
        found = map(self.messages.position, uids)
        return merged([(at, at + 1) for at in found if at is not None])

    def uid_ranges(self, spans: Spans) -> Ranges:
        """Return spans as UID ranges for mailstore. Raises No for more than MOST_RANGES of them."""
        if len(spans) > MOST_RANGES:
            raise No(TOO_MANY_RANGES)
        return [(self.messages.uid(start), self.messages.uid(end - 1)) for start, end in spans]

    def unseen_of(self, spans: Spans) -> Spans:
        """Return those of ascending `spans` that have no \\Seen."""
        found: Spans = []
        for span in spans:
            for first, chunk, part in self.messages.pieces(*span):
                found += runs(chunk.select(unseen, part), first)
        return merged(found)

    def recent_ranges(self) -> Ranges:
        """Return the UIDs that are \\Recent in this session, as ranges."""
        return list(self._recent)

    # -- changes

    def stored(self, uids: bytes, masks: bytes, keywords: list[str]) -> Iterator[bytes]:
        """Apply flags that this session changed, a block at a time; only new keywords have a response."""
        yield self._renamed(keywords)
        for block, mask in zip(blocks(uids_of(uids)), blocks(masks_of(masks)), strict=True):
            self.messages, _ = self.messages.with_flags(block, mask)
            yield b""

    def remove(self, uids: "array[int]") -> list[int]:
        """Remove ascending `uids` from the view; return the sequence numbers for EXPUNGE responses, in order.

        Each number counts without the messages expunged before it (RFC 3501 7.4.1). One pass for any number of UIDs.
        """
        self.messages, gone = self.messages.without(uids)
        return [at + 1 - before for before, at in enumerate(gone)]

    def expunged(self, uids: bytes) -> Iterator[bytes]:
        """Remove ascending `uids` from the view, a block at a time, and yield the EXPUNGE or VANISHED responses of each."""
        for block in blocks(uids_of(uids)):
            if self.qresync:
                known = number_set([uid for uid in block if self.messages.position(uid) is not None])
                self.remove(block)
                yield b"* VANISHED %b\r\n" % known if known else b""
            else:
                yield b"".join([b"* %d EXPUNGE\r\n" % number for number in self.remove(block)])

    def state(self) -> FolderState:
        """Return the state that this session knows."""
        return FolderState(self.modseq, self.uidnext, self.names, self.messages)

    def apply(self, changes: Changes, *, with_flags: bool = True) -> Iterator[bytes]:
        """Apply `changes` to the view, a block at a time, and yield the untagged responses of each: the loop may turn between.

        The view knows the MODSEQ of `changes` only after the last block. `with_flags` False: changed flags have no responses.
        """
        yield from self.expunged(changes.vanished)
        yield self._renamed(changes.keywords)
        uids, masks = uids_of(changes.uids), masks_of(changes.flags)
        modseqs = modseqs_of(changes.modseqs) if self.condstore else None
        for start in range(0, len(uids), BLOCK):
            block = slice(start, start + BLOCK)
            self.messages, changed = self.messages.with_flags(uids[block], masks[block])
            if not with_flags:
                continue
            given = dict(zip(uids[block], modseqs[block], strict=True)) if modseqs else {}
            yield b"".join([self._flags_changed(at, uid, flags, given.get(uid)) for at, uid, flags in changed])
        yield self._arrived(changes, uids, masks)

    def _flags_changed(self, at: int, uid: int, flags: int, modseq: int | None) -> bytes:
        more = b"" if modseq is None else b" MODSEQ (%d)" % modseq
        return b"* %d FETCH (UID %d FLAGS (%b)%b)\r\n" % (at + 1, uid, self._text(uid, flags), more)

    def _arrived(self, changes: Changes, uids: "array[int]", masks: "array[int]") -> bytes:
        """Add the new ones of `uids` to the view; return the responses for them."""
        known = len(self)
        self.messages = self.messages.with_new(uids, masks)
        if self._shows_recent and changes.recent_from and changes.recent_from < changes.uidnext:
            grown = (changes.recent_from, changes.uidnext - 1)
            if self._recent and self._recent[-1][1] + 1 >= grown[0]:  # EXAMINE claims no \\Recent: the range only grew
                grown = self._recent.pop()[0], grown[1]
            self._recent.append(grown)
            if len(self._recent) > MOST_RECENT:
                (first, _), (_, last), *others = self._recent
                self._recent = [(first, last), *others]
        self.modseq = max(self.modseq, changes.highest_modseq)
        self.uidnext = max(self.uidnext, changes.uidnext)
        return self.counts() if len(self) > known else b""

    def counts(self) -> bytes:
        """Return the responses EXISTS and RECENT."""
        exists = b"* %d EXISTS\r\n" % len(self)
        return exists + b"* %d RECENT\r\n" % self.recent_count() if self._shows_recent else exists

    def _renamed(self, keywords: list[str]) -> bytes:
        """Take over the folder's keywords; return the response for them if they are new."""
        if keywords == self.names.keywords:
            return b""
        self.names = FlagNames(keywords)
        return self.flags_line()

    def flags_line(self) -> bytes:
        return b"* FLAGS (%b)\r\n" % self.names.all_names()
