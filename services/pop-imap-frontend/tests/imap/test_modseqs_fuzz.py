"""VANISHED (EARLIER): the UIDs it names are those of the client's set that are gone (RFC 7162 3.2.10)."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from pop_imap_frontend.imap.folder.chunk import cut
from pop_imap_frontend.imap.folder.messages import FolderMessages
from pop_imap_frontend.imap.folder.spans import common, merged
from pop_imap_frontend.imap.modseqs import MessageModseqs, absent, known_ranges, vanished

UIDS = st.sets(st.integers(1, 40))
SETS = st.lists(st.tuples(st.integers(1, 45) | st.none(), st.integers(1, 45) | st.none()), min_size=1, max_size=6)
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6).map(merged)


def uids_in(responses: list[bytes]) -> set[int]:
    found: set[int] = set()
    for response in responses:
        for part in (
            response.removeprefix(b"* VANISHED (EARLIER) ").removesuffix(b"\r\n").split(b",") if response else ()
        ):
            low, _, high = part.partition(b":")
            found |= set(range(int(low), int(high or low) + 1))
    return found


def folder(uids: set[int]) -> FolderMessages:
    return FolderMessages(list(cut(array("I", sorted(uids)), array("Q", [0] * len(uids)))))


@given(present=UIDS, gone=UIDS, asked=SETS, last=st.integers(0, 40))
def test_hypothesis_what_vanished(
    present: set[int], gone: set[int], asked: list[tuple[int | None, int | None]], last: int
) -> None:
    wanted: set[int] = set()
    for first, second in asked:
        low, high = sorted((last if first is None else first, last if second is None else second))
        wanted |= set(range(low, high + 1))
    wanted = {uid for uid in wanted if 1 <= uid <= last}
    known = [each for each in known_ranges(asked, last) if each[0] >= 1]
    named = uids_in(list(vanished(array("I", sorted(gone)).tobytes(), known, folder(present))))
    assert named == wanted & gone - present
    assert uids_in(list(absent(known, folder(present)))) == wanted - present


@given(left=SPANS, right=SPANS)
def test_hypothesis_common_positions(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    def positions(spans: list[tuple[int, int]]) -> set[int]:
        return {at for span in spans for at in range(*span)}

    found = common(left, right)
    assert positions(found) == positions(left) & positions(right)
    assert found == sorted(found) and all(start < end for start, end in found)


def test_modseqs_are_those_of_the_view() -> None:
    modseqs = MessageModseqs(array("I", [3, 5]).tobytes(), array("Q", [7, 99]).tobytes(), 10)
    assert [modseqs.of(uid) for uid in (3, 4, 5)] == [7, 10, 10]
