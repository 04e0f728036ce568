"""A session's view of its selected folder: the UID and the flags of each sequence number (RFC 3501 2.3.1.2).

The view changes only together with responses to the client, so sequence numbers mean the same on both sides.
"""

from array import array
from bisect import bisect_left, bisect_right

from mailstore_api.wire import MOST_RANGES, SEEN, Changes, FolderSnapshot, Ranges
from pop_imap_frontend.imap.grammar import SequenceSet
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.responses import RECENT, FlagNames


def uids_of(packed: bytes) -> "array[int]":
    return array("I", packed)


def masks_of(packed: bytes) -> "array[int]":
    return array("Q", packed)


TOO_MANY_RANGES = f"[LIMIT] a command names at most {MOST_RANGES} ranges of messages here"

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


def positions_of(spans: Spans) -> list[int]:
    return [at for span in spans for at in range(*span)]


class FolderView:
    """The selected folder, even if it was renamed. Positions are 0-based; sequence numbers on the wire are one more."""

    def __init__(self, snapshot: FolderSnapshot, read_only: bool) -> None:
        self.read_only = read_only
        self.folder_id = snapshot.folder_id
        self.uidvalidity = snapshot.uidvalidity
        self.uidnext = snapshot.uidnext
        self.modseq = snapshot.highest_modseq
        self.uids = uids_of(snapshot.uids)
        self.masks = masks_of(snapshot.flags)
        self.names = FlagNames(snapshot.keywords)
        self._recent = [(snapshot.recent_from, snapshot.uidnext - 1)] if snapshot.recent_from else []

    # -- numbers

    def __len__(self) -> int:
        return len(self.uids)

    def position(self, uid: int) -> int | None:
        """Return the position of `uid`; None if it is not in the view."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else None

    def is_recent(self, uid: int) -> bool:
        return any(low <= uid <= high for low, high in self._recent)

    def recent_count(self) -> int:
        return sum(bisect_right(self.uids, high) - bisect_left(self.uids, low) for low, high in self._recent)

    def flags_text(self, at: int) -> bytes:
        """Return the text between the parentheses of FLAGS."""
        recent = self._recent and self.is_recent(self.uids[at])
        return self.names[self.masks[at] | RECENT if recent else self.masks[at]]

    def flags_texts(self, positions: list[int]) -> list[bytes]:
        """Return `flags_text` of each position."""
        if self._recent:
            return [self.flags_text(at) for at in positions]
        names, masks = self.names, self.masks
        return [names[masks[at]] for at in positions]

    def spans(self, numbers: SequenceSet, by_uid: bool, *, must_exist: bool = True) -> Spans:
        """Return the positions a set names, as ascending, separate spans, so that repetitions in the set cost no memory.

        Raises BadCommand for a number beyond the last message, unless `must_exist` is False: then it names nothing.
        """
        spans: Spans = []
        count = len(self.uids)
        for first, last in numbers:
            if by_uid:
                top = self.uids[-1] if count else 0
                low, high = sorted((top if first is None else first, top if last is None else last))
                spans.append((bisect_left(self.uids, low), bisect_right(self.uids, high)))
            else:
                open_end = first is None or last is None
                low, high = sorted((count if first is None else first, count if last is None else last))
                if high > count and not open_end and must_exist:
                    raise BadCommand("there is no message with that number")
                if open_end:
                    low = min(low, count)  # `9:*` of three messages is the third
                spans.append((max(low, 1) - 1, min(high, count)))
        return merged(spans)

    def uid_ranges(self, spans: Spans) -> Ranges:
        """Return spans as UID ranges for mailstore. Raises No for more than MOST_RANGES of them."""
        if len(spans) > MOST_RANGES:
            raise No(TOO_MANY_RANGES)
        return [(self.uids[start], self.uids[end - 1]) for start, end in spans]

    def recent_ranges(self) -> Ranges:
        """Return the UIDs that are \\Recent in this session, as ranges."""
        return list(self._recent)

    # -- changes

    def apply_flags(self, uids: bytes, masks: bytes, keywords: list[str]) -> list[int]:
        """Apply flags to messages in the view; return the positions at which they changed."""
        if keywords != self.names.keywords:
            self.names = FlagNames(keywords)
        changed = []
        for uid, mask in zip(uids_of(uids), masks_of(masks), strict=True):
            at = self.position(uid)
            if at is not None and self.masks[at] != mask:
                self.masks[at] = mask
                changed.append(at)
        return changed

    def remove(self, uids: "array[int] | list[int]") -> list[int]:
        """Remove `uids` from the view; return the sequence numbers for EXPUNGE responses, in order.

        Each number counts without the messages expunged before it (RFC 3501 7.4.1). One pass for any number of UIDs.
        """
        gone = [at for at in map(self.position, sorted(set(uids))) if at is not None]
        kept_uids, kept_masks = array("I"), array("Q")
        start = 0
        for at in [*gone, len(self.uids)]:
            kept_uids += self.uids[start:at]
            kept_masks += self.masks[start:at]
            start = at + 1
        if gone:
            self.uids, self.masks = kept_uids, kept_masks
        return [at + 1 - before for before, at in enumerate(gone)]

    def apply(self, changes: Changes) -> list[bytes]:
        """Apply `changes` to the view; return the untagged responses for them."""
        lines = [b"* %d EXPUNGE\r\n" % number for number in self.remove(uids_of(changes.vanished))]
        new_keywords = changes.keywords != self.names.keywords
        if new_keywords:
            self.names = FlagNames(changes.keywords)
            lines.append(self.flags_line())
        last = self.uids[-1] if self.uids else 0
        added = 0
        for uid, mask in zip(uids_of(changes.uids), masks_of(changes.flags), strict=True):
            at = self.position(uid)
            if at is not None:
                if self.masks[at] != mask:
                    self.masks[at] = mask
                    lines.append(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (at + 1, uid, self.flags_text(at)))
            elif uid > last:
                self.uids.append(uid)
                self.masks.append(mask)
                added += 1
        if changes.recent_from and changes.recent_from < changes.uidnext:
            grown = (changes.recent_from, changes.uidnext - 1)
            if self._recent and self._recent[-1][1] + 1 >= grown[0]:  # EXAMINE claims no \\Recent: the range only grew
                grown = self._recent.pop()[0], grown[1]
            self._recent.append(grown)
        self.modseq = max(self.modseq, changes.highest_modseq)
        self.uidnext = max(self.uidnext, changes.uidnext)
        if added:
            lines.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), self.recent_count()))
        return lines

    def flags_line(self) -> bytes:
        return b"* FLAGS (%b)\r\n" % self.names.all_names()

    def first_unseen(self) -> int | None:
        """Return the sequence number of the first message without \\Seen; None if all have it."""
        return next((at + 1 for at, mask in enumerate(self.masks) if not mask & SEEN), None)
