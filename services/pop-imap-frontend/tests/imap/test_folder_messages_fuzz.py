"""The shared sequence of a folder's messages against a plain dict, with small chunks; what was made before a change stays valid."""

from array import array
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore_api.wire import SEEN
from pop_imap_frontend.imap.folder import chunk
from pop_imap_frontend.imap.folder import messages as folder_messages
from pop_imap_frontend.imap.folder.chunk import MOST_MESSAGES, unseen
from pop_imap_frontend.imap.folder.messages import FolderMessages

UIDS = st.lists(st.integers(1, 120), max_size=30, unique=True).map(sorted)
MASKS = st.one_of(st.just(0), st.integers(0, 31), st.integers(0, 2**55))


def packed(messages: dict[int, int]) -> tuple["array[int]", "array[int]"]:
    return array("I", messages), array("Q", messages.values())


def plain(messages: FolderMessages) -> dict[int, int]:
    return {messages.uid(at): messages.mask(at) for at in range(len(messages))}


class Model(RuleBasedStateMachine):
    """`model`: what `messages` must hold. `before`: earlier sequences and what each of them held."""

    @initialize(size=st.sampled_from([4, 7, 16]), octet=st.sampled_from([2, 256]), few=st.sampled_from([3, 256]))
    def begin(self, size: int, octet: int, few: int) -> None:
        self.patch = pytest.MonkeyPatch()
        for module in (chunk, folder_messages):
            self.patch.setattr(module, "MOST_MESSAGES", size)
        self.patch.setattr(chunk, "_OCTET", octet)  # 2: nearly every chunk has more distinct masks than an octet counts
        self.patch.setattr(chunk, "_FEW", few)
        self.size = size
        self.model: dict[int, int] = {}
        self.messages = FolderMessages()
        self.before: list[tuple[FolderMessages, dict[int, int]]] = []

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def _next(self, messages: FolderMessages) -> None:
        self.before = [*self.before[-3:], (self.messages, dict(self.model))]
        self.messages = messages

    @rule(gaps=st.lists(st.integers(1, 3), max_size=20), mask=MASKS, same=st.booleans())
    def arrive(self, gaps: list[int], mask: int, same: bool) -> None:
        uid, new = max(self.model, default=0), {}
        for gap in gaps:
            uid += gap
            new[uid] = mask if same else mask ^ uid % 32
        self._next(self.messages.with_new(*packed(new)))
        self.model |= new

    @rule(uids=UIDS, mask=MASKS, same=st.booleans())
    def change(self, uids: list[int], mask: int, same: bool) -> None:
        new = {uid: mask if same else mask ^ uid % 32 for uid in uids}
        changed = {uid: mask for uid, mask in new.items() if self.model.get(uid, mask) != mask}
        messages, found = self.messages.with_flags(*packed(new))
        positions = {uid: at for at, uid in enumerate(self.model)}
        assert found == [(positions[uid], uid, mask) for uid, mask in changed.items()]
        self._next(messages)
        self.model |= changed

    @rule(uids=UIDS)
    def remove(self, uids: list[int]) -> None:
        messages, gone = self.messages.without(array("I", uids))
        assert gone == [at for at, uid in enumerate(self.model) if uid in uids]
        self._next(messages)
        self.model = {uid: mask for uid, mask in self.model.items() if uid not in uids}

    @rule(uid=st.integers(1, 130))
    def find(self, uid: int) -> None:
        known = list(self.model)
        assert self.messages.before(uid) == len([one for one in known if one < uid])
        assert self.messages.position(uid) == (known.index(uid) if uid in self.model else None)

    @rule(data=st.data())
    def read_a_part(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(self.model)))
        end = data.draw(st.integers(start, len(self.model)))
        assert list(self._read(start, end)) == list(self.model.items())[start:end]

    def _read(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for first, part_of, part in self.messages.pieces(start, end):
            assert first == start
            start += len(part_of.uids[part])
            masks = [part_of.masks[code] for code in part_of.codes[part]]
            assert part_of.select(unseen, part) == bytes(not mask & SEEN for mask in masks)
            yield from zip(part_of.uids[part], masks, strict=True)

    @invariant()
    def all_hold_what_they_held(self) -> None:
        if not hasattr(self, "model"):
            return
        for messages, model in [*self.before, (self.messages, self.model)]:
            assert plain(messages) == model and len(messages) == len(model)
            waiting = [at for at, mask in enumerate(model.values()) if not mask & SEEN]
            assert messages.unseen == len(waiting)
            assert messages.octets() == sum(part.octets() for part in messages.chunks)
            assert messages.first_unseen() == (waiting[0] if waiting else None)
            assert messages.last_uid() == max(model, default=0)
        assert all(len(each) <= self.size for each in self.messages.chunks)
        assert len(self.messages.chunks) <= 2 + len(self.model) * 8 // self.size


TestModel = Model.TestCase


def large(count: int) -> FolderMessages:
    return FolderMessages().with_new(array("I", range(2, 2 * count + 1, 2)), array("Q", [0]) * count)


def test_one_change_costs_the_same_in_any_folder() -> None:
    """The chunk that changes, and one entry for each chunk."""

    def work(messages: FolderMessages) -> None:
        middle = messages.uid(len(messages) // 2)
        for mask in range(20):
            messages, changed = messages.with_flags(array("I", [middle]), array("Q", [SEEN + mask]))
            assert len(changed) == 1
            assert messages.position(middle) == changed[0][0]
            messages, gone = messages.without(array("I", [messages.uid(mask * 100)]))
            assert gone == [mask * 100]
            messages = messages.with_new(array("I", [messages.last_uid() + 1]), array("Q", [0]))
            assert messages.first_unseen() == 0

    assert growth(large, work, 16 * MOST_MESSAGES, most=1.4) < 1.4


def test_a_change_shares_all_other_chunks() -> None:
    messages = large(20 * MOST_MESSAGES)
    changed, _ = messages.with_flags(array("I", [2, 4]), array("Q", [SEEN] * 2))
    assert [new is old for new, old in zip(changed.chunks, messages.chunks, strict=True)] == [False] + [True] * 19


def test_many_changes_cost_their_number() -> None:
    def work(messages: FolderMessages) -> None:
        uids = array("I", range(2, 2 * len(messages), 4))
        messages, changed = messages.with_flags(uids, array("Q", [SEEN]) * len(uids))
        messages, gone = messages.without(uids)
        assert len(gone) == len(changed) == len(uids)

    assert growth(large, work, 4 * MOST_MESSAGES) < MOST_GROWTH
