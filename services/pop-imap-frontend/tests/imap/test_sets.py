"""Sequence sets and search programs cost what they are long, not what they name."""

import itertools
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore_api.wire import MOST_RANGES, Changes
from pop_imap_frontend.imap.folder.spans import Spans, merged
from pop_imap_frontend.imap.folder.view import MOST_RECENT, FolderView
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.search import DEEPEST, MOST_KEYS, SearchParser

from .views import view_of


def view(count: int) -> FolderView:
    return view_of(range(2, 2 * count + 1, 2), uidnext=2 * count + 1, read_only=True)


def parse(text: str, count: int = 10) -> list[Any]:
    return SearchParser(Cursor(text.encode()), view(count)).parse()


NUMBERS = st.none() | st.integers(1, 40)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), st.booleans())
def test_hypothesis_spans_are_the_positions_of_each_range(
    ranges: list[tuple[int | None, int | None]], by_uid: bool
) -> None:
    here = view(10)
    each: set[int] = set()
    for one in ranges:
        for start, end in here.spans([one], by_uid, must_exist=False):
            each |= set(range(start, end))
    spans = here.spans(ranges, by_uid, must_exist=False)
    assert [at for span in spans for at in range(*span)] == sorted(each)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_a_set_that_names_everything_often_costs_its_length() -> None:
    here = view(20_000)

    def spans(text: bytes) -> Spans:
        return here.spans(Cursor(text).sequence_set(), by_uid=False)

    def text(times: int) -> bytes:
        return b",".join([b"1:*"] * times)

    assert spans(text(16_000)) == [(0, 20_000)]  # joined before it is spread out
    assert growth(text, spans, 4_000) < MOST_GROWTH


def test_anded_sets_are_one_intersection() -> None:
    assert parse("UID 2:9 UID 6:14 3:*") == ["UID", [(6, 8)]]
    assert parse("UID 2:9 SEEN (UID 6:14 UNFLAGGED)")[:2] == ["AND", ["UID", [(6, 8)]]]
    assert parse("OR UID 2:4 OR UID 12 UID 3:8") == ["UID", [(2, 8), (12, 12)]]
    assert parse("UID 2 UID 4") == ["UID", []]


def test_many_sets_do_not_cost_the_size_of_the_folder() -> None:
    keys = " ".join(["UID 1:*"] * MOST_KEYS)
    assert growth(view, lambda here: SearchParser(Cursor(keys.encode()), here).parse(), 5_000, most=1.5) < 1.5


def test_many_keys_beside_a_long_set() -> None:
    """The set is joined once, not with each key."""
    here = view(20_000)

    def text(keys: int) -> bytes:
        return ("OR 1 " * (keys - 1) + ",".join(str(number) for number in range(1, 20 * keys, 2))).encode()

    assert growth(text, lambda data: SearchParser(Cursor(data), here).parse(), MOST_KEYS // 4) < MOST_GROWTH


@pytest.mark.parametrize(
    "text",
    [
        "OR SEEN " * 999 + "DRAFT",
        "OR " * 999 + "SEEN " + "DRAFT " * 998 + "DRAFT",
        "(SEEN " * 999 + "DRAFT" + ")" * 999,
        "NOT " * 5000 + "SEEN",
        "(" * 5000 + "SEEN" + ")" * 5000,
        " ".join(["SEEN"] * 1000),
    ],
    ids=["or to the right", "or to the left", "and to the right", "not", "parentheses", "and"],
)
def test_long_chains_become_flat(text: str) -> None:
    tree = parse(text)
    assert all(not isinstance(part, list) or part[0] not in ("AND", "OR") for part in tree[1:])


@pytest.mark.parametrize(
    "text",
    [
        "OR SEEN " * 1000 + "DRAFT",
        " ".join(["SEEN"] * 1001),
        "NOT (SEEN OR DRAFT " * (DEEPEST + 1) + "SEEN" + ")" * (DEEPEST + 1),
    ],
)
def test_beyond_the_limit_is_no(text: str) -> None:
    with pytest.raises(No, match=r"\[LIMIT\]"):
        parse(text)


@pytest.mark.parametrize("text", ["(" * 60_000, "NOT " * 16_000, "OR " * 20_000, "()", "SEEN)"])
def test_unfinished_programs_are_bad(text: str) -> None:
    with pytest.raises(BadCommand):
        parse(text)


def test_merged() -> None:
    assert merged([(5, 6), (0, 3), (2, 4), (4, 5), (9, 9)]) == [(0, 6)]


def test_many_expunged_at_once_cost_their_number() -> None:
    def expunged(here: FolderView) -> None:
        gone = array("I", range(2, 2 * len(here) + 1, 4))
        assert here.remove(gone) == list(range(1, len(gone) + 1))
        assert len(here) == len(gone)

    assert growth(view, expunged, 20_000) < MOST_GROWTH


def test_more_ranges_than_one_question_takes_are_refused() -> None:
    count = 2 * MOST_RANGES + 2
    here = view(count)
    every_second = [(n, n) for n in range(1, count, 2)]
    assert len(here.uid_ranges(here.spans(every_second[:MOST_RANGES], by_uid=False))) == MOST_RANGES
    with pytest.raises(No, match=r"^\[LIMIT\]"):
        here.uid_ranges(here.spans(every_second, by_uid=False))
    half = MOST_RANGES // 2 + 1
    first = ",".join(str(n) for n in range(1, 2 * half, 2))
    second = ",".join(str(n) for n in range(2 * half + 1, 4 * half, 2))
    assert SearchParser(Cursor(f"NOT {first} SEEN".encode()), here).parse()
    for program in (f"NOT {first} NOT {second}", f"OR {first} {second}", f"OR SEEN {first} OR NOT {second} DRAFT"):
        with pytest.raises(No, match=r"^\[LIMIT\]"):
            SearchParser(Cursor(program.encode()), here).parse()


def test_recent_ranges_have_a_limit() -> None:
    """Two sessions that are told of new messages in turn: each has every second one."""
    here = view_of([1], uidnext=2, recent_from=1)
    for uid in range(3, 3 * MOST_RECENT, 2):
        new = array("I", [uid - 1, uid])
        flags = array("Q", [0, 0]).tobytes()
        changes = Changes("ok", uid, uid + 1, uid, new.tobytes(), flags)
        assert b"EXISTS" in b"".join(here.apply(changes))
        assert len(here.recent_ranges()) <= MOST_RECENT
        assert here.is_recent(uid) and not here.is_recent(uid - 1)
    assert here.is_recent(1) and here.recent_ranges()[0][0] == 1
