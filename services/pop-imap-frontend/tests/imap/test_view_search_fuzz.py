"""SEARCH by flags, sets and days, answered from the view: against each message by itself, and the cost of large programs."""

import asyncio
from array import array
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore_api.wire import MOST_RANGES, SYSTEM_FLAGS
from pop_imap_frontend.imap.folder import chunk
from pop_imap_frontend.imap.folder import messages as folder_messages
from pop_imap_frontend.imap.folder.days import FolderDays, days_of
from pop_imap_frontend.imap.folder.search import MOST_DAY_KEYS, from_view, resolved
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.responses import FlagNames

from .views import view_of

KEYWORDS = ["Work", "$Junk"]
FLAGS = {**SYSTEM_FLAGS, "Work": 1 << 8, "$Junk": 1 << 9}
NUMBERS = st.integers(1, 60)


def ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """Ascending ranges that do not meet."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] + 1 == number:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number - 4)).isoformat()


def day_of(uid: int) -> str:
    """The day of the message `uid`, before and after 1970-01-01."""
    return day(uid % 7)


LEAVES = st.one_of(
    st.just(["ALL"]),
    st.sampled_from([*FLAGS, "WORK", "\\SEEN", "unknown"]).map(lambda name: ["FLAG", name]),
    st.tuples(st.sampled_from(["BEFORE", "ON", "SINCE"]), st.integers(0, 8)).map(lambda key: [key[0], day(key[1])]),
    st.sets(NUMBERS, max_size=20).map(lambda numbers: ["UID", ranges(numbers)]),
)
PROGRAMS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda node: ["NOT", node]),
        st.lists(inner, min_size=2, max_size=4).map(lambda nodes: ["AND", *nodes]),
        st.lists(inner, min_size=2, max_size=4).map(lambda nodes: ["OR", *nodes]),
    ),
    max_leaves=12,
)


def finds(node: list[Any], uid: int, mask: int) -> bool:
    match node[0]:
        case "ALL":
            return True
        case "FLAG":
            bits = {name.lower(): bit for name, bit in FLAGS.items()}
            return bool(mask & bits.get(node[1].lower(), 0))
        case "BEFORE":
            return day_of(uid) < node[1]
        case "ON":
            return day_of(uid) == node[1]
        case "SINCE":
            return day_of(uid) >= node[1]
        case "UID":
            return any(low <= uid <= high for low, high in node[1])
        case "NOT":
            return not finds(node[1], uid, mask)
        case "AND":
            return all(finds(part, uid, mask) for part in node[1:])
    return any(finds(part, uid, mask) for part in node[1:])


def folder(messages: dict[int, int]) -> FolderView:
    view = view_of(messages, uidnext=100)
    view.names = FlagNames(KEYWORDS)
    view.messages, _ = view.messages.with_flags(array("I", messages), array("Q", messages.values()))
    return view


def search(program: list[Any], view: FolderView, *, by_uid: bool = True) -> list[int] | None:
    node = resolved(program, view)
    if node is None:
        return None
    days = FolderDays()
    known = array("I", range(1, 100))  # also of messages that were expunged
    days.add(known.tobytes(), array("i", [uid % 7 - 4 for uid in known]).tobytes(), 100)
    found = asyncio.run(from_view(node, view, days))
    numbers = found.numbers(0, len(found), by_uid=by_uid)
    halves = ((0, len(found) // 2), (len(found) // 2, len(found) + 1))
    assert [number for half in halves for number in found.numbers(*half, by_uid=by_uid)] == numbers
    assert len(numbers) == len(found)
    return list(numbers)


@given(
    PROGRAMS, st.dictionaries(NUMBERS, st.sampled_from([0, 8, 24, 256 + 8, 512, 768 + 31])), st.sampled_from([3, 4096])
)
def test_each_message_by_itself(program: list[Any], messages: dict[int, int], size: int) -> None:
    messages = dict(sorted(messages.items()))
    with pytest.MonkeyPatch.context() as patch:
        for module in (chunk, folder_messages):
            patch.setattr(module, "MOST_MESSAGES", size)
        view = folder(messages)
        wanted = [uid for uid, mask in messages.items() if finds(program, uid, mask)]
        assert search(program, view) == wanted
        assert search(program, view, by_uid=False) == [list(messages).index(uid) + 1 for uid in wanted]


@pytest.mark.parametrize("key", [["TEXT", "a"], ["SENTSINCE", "2026-01-01"], ["LARGER", 5], ["HEADER", "a", "b"]])
def test_other_keys_are_for_mailstore(key: list[Any]) -> None:
    view = folder({1: 0})
    for program in (key, ["NOT", key], ["AND", ["ALL"], ["OR", ["FLAG", "\\Seen"], key]]):
        assert search(program, view) is None


def test_more_keys_on_days_than_have_a_bound_are_for_mailstore() -> None:
    view = folder({1: 0, 2: 8})
    keys = [["ON", day(number)] for number in range(MOST_DAY_KEYS + 1)]
    assert search(["OR", *keys[1:]], view) == [1, 2] and search(["OR", *keys], view) is None


def test_a_message_of_an_unknown_day_is_not_found_by_it() -> None:
    days = FolderDays()
    days.add(array("I", [1, 3, 4]).tobytes(), array("i", [0, 0, 9]).tobytes(), 4)
    for uids in (range(1, 5), array("I", [1, 2, 4])):
        wanted = bytes(uid in (1, 3) for uid in uids)
        assert days.select(uids, *days_of("BEFORE", "1970-01-02")) == wanted
    assert days.select(array("I", [2, 5]), *days_of("BEFORE", "9999-12-31")) == b"\0\0"


def test_a_search_costs_the_messages_it_passes() -> None:
    def make(count: int) -> FolderView:
        return view_of(range(1, 2 * count, 2), uidnext=2 * count)

    growth_of = growth(make, lambda view: search(["NOT", ["FLAG", "\\Seen"]], view), 50_000)
    assert growth_of < MOST_GROWTH


def test_many_ranges_and_keys_cost_their_number() -> None:
    view = view_of(range(1, 40_000), uidnext=40_000)

    def ranged(count: int) -> list[Any]:
        return ["NOT", ["UID", [(n, n) for n in range(1, 2 * count, 2)]]]

    def keyed(count: int) -> list[Any]:
        return ["OR", *(["NOT", ["FLAG", f"key{n}"]] for n in range(count))]

    assert growth(ranged, lambda program: search(program, view), MOST_RANGES // 4) < MOST_GROWTH
    assert growth(keyed, lambda program: search(program, view), 250) < MOST_GROWTH
