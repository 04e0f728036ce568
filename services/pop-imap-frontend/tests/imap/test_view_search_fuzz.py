"""SEARCH by flags and sets, answered from the view: against each message by itself, and the cost of large programs."""

import asyncio
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore_api.wire import MOST_RANGES, SYSTEM_FLAGS
from pop_imap_frontend.imap.folder import chunk
from pop_imap_frontend.imap.folder import messages as folder_messages
from pop_imap_frontend.imap.folder.search import from_view
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


LEAVES = st.one_of(
    st.just(["ALL"]),
    st.sampled_from([*FLAGS, "WORK", "\\SEEN", "unknown"]).map(lambda name: ["FLAG", name]),
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
    found = asyncio.run(from_view(program, view))
    if found is None:
        return None
    uids, positions = found.part(0, len(found))
    halves = [found.part(low, high) for low, high in ((0, len(found) // 2), (len(found) // 2, len(found) + 1))]
    assert [uid for part, _ in halves for uid in part] == uids
    assert [at for _, part in halves for at in part] == positions
    assert len(uids) == len(positions) == len(found)
    return uids if by_uid else [at + 1 for at in positions]


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


@pytest.mark.parametrize("key", [["TEXT", "a"], ["SINCE", "2026-01-01"], ["LARGER", 5], ["HEADER", "a", "b"]])
def test_other_keys_are_for_mailstore(key: list[Any]) -> None:
    view = folder({1: 0})
    for program in (key, ["NOT", key], ["AND", ["ALL"], ["OR", ["FLAG", "\\Seen"], key]]):
        assert search(program, view) is None


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
