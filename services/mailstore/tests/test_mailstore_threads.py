"""The trees of THREAD (RFC 5256 3): each rule, loops and other contradictions, and that each message comes once in linear time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.model.threads import Threaded, Tree, by_references, by_subject


def written(tree: Tree) -> str:
    """The tree in brackets: each node with its children after it."""
    text, before = [], -1
    for uid, depth in zip(tree.uids, tree.depths, strict=True):
        text.append(")" * (before - depth + 1) + f"({uid}")
        before = depth
    return "".join(text) + ")" * (before + 1)


def mail(
    uid: int, own: str = "", refs: str = "", subject: str = "", *, derived: bool = False, sent: float | None = None
):
    """A message `own` that refers to `refs`, sent in the order of UIDs."""
    return Threaded(uid, uid if sent is None else sent, subject, derived, own, "\n".join(refs))


@pytest.mark.parametrize(
    ("messages", "tree"),
    [
        ([mail(1, "a"), mail(2, "b", "a"), mail(3, "c", "ab"), mail(4, "d", "a")], "(1(2(3))(4))"),
        ([mail(3, "a"), mail(2, "b", "a"), mail(1, "c", "b")], "(3(2(1)))"),
        ([mail(1, "c", "ab"), mail(2, "b", "a"), mail(3, "a")], "(3(2(1)))"),
        # a message that is not there: its children are one thread, one child alone takes its place
        ([mail(1, "b", "a"), mail(2, "c", "a")], "(0(1)(2))"),
        ([mail(1, "c", "ab"), mail(2, "d", "ab")], "(0(1)(2))"),
        ([mail(1, "c", "ab")], "(1)"),
        ([mail(1, "a"), mail(2, "c", "ab"), mail(3, "d", "ab")], "(1(2)(3))"),
        # a parent that others name is replaced by the one that a message names itself, also by none
        ([mail(1, "d", "abc"), mail(2, "c", "a"), mail(3, "a"), mail(4, "b", "a")], "(3(2(1))(4))"),
        ([mail(1, "c", "ab"), mail(2, "b")], "(2(1))"),
        ([mail(1, "b"), mail(2, "a"), mail(3, "c", "ab")], "(2(1(3)))"),
        # the first of two equal ids has it
        ([mail(1, "a"), mail(2, "a"), mail(3, "b", "a")], "(1(3))(2)"),
        # no id is no id
        ([mail(1), mail(2), mail(3, "b", "x")], "(1)(2)(3)"),
        # loops
        ([mail(1, "a", "a")], "(1)"),
        ([mail(1, "a", "b"), mail(2, "b", "a")], "(2(1))"),
        ([mail(1, "a", "c"), mail(2, "b", "a"), mail(3, "c", "b")], "(3(1(2)))"),
        ([mail(1, "x", "aba")], "(1)"),
    ],
)
def test_references(messages, tree):
    assert written(by_references(messages)) == tree


@pytest.mark.parametrize(
    ("messages", "tree"),
    [
        # step 5: a reply goes below the other, two that are none or two replies below a dummy
        ([mail(1, subject="s"), mail(2, subject="s", derived=True)], "(1(2))"),
        ([mail(1, subject="s", derived=True), mail(2, subject="s")], "(2(1))"),
        ([mail(1, subject="s"), mail(2, subject="s")], "(0(1)(2))"),
        ([mail(1, subject="s"), mail(2, subject="s"), mail(3, subject="s", derived=True)], "(0(1)(2)(3))"),
        ([mail(1, subject="s", derived=True), mail(2, subject="s", derived=True)], "(0(1)(2))"),
        ([mail(1), mail(2)], "(1)(2)"),
        # a dummy takes the threads of its first child's subject
        ([mail(1, subject="s"), mail(2, "b", "a", "s"), mail(3, "c", "a", "t")], "(0(1)(2)(3))"),
        (
            [mail(1, "b", "a", "s"), mail(2, "c", "a", "s"), mail(3, "d", "x", "s"), mail(4, "e", "x", "s")],
            "(0(1)(2)(3)(4))",
        ),
        # only roots are compared
        ([mail(1, "a", "", "s"), mail(2, "b", "a", "t"), mail(3, "", "", "t")], "(1(2))(3)"),
        # siblings and threads are sorted by the sent date, of equal ones in the order of the mailbox
        ([mail(1, "a", sent=9), mail(2, "b", "a", sent=5), mail(3, "c", "a", sent=4), mail(4, sent=8)], "(4)(1(3)(2))"),
        ([mail(1, sent=5), mail(2, sent=5), mail(3, sent=4)], "(3)(1)(2)"),
        ([mail(1, "b", "a", sent=7), mail(2, "c", "a", sent=3), mail(3, sent=4)], "(0(2)(1))(3)"),
    ],
)
def test_subjects_and_dates(messages, tree):
    assert written(by_references(messages)) == tree


def test_ordered_subject():
    messages = [mail(1, subject="b", sent=5), mail(2, subject="a", sent=9), mail(3, subject="b", sent=3)]
    messages += [mail(4, subject="b", sent=5), mail(5, subject="", sent=1), mail(6, subject="", sent=10)]
    assert written(by_subject(messages)) == "(5(6))(3(1)(4))(2)"
    assert written(by_subject([])) == written(by_references([])) == ""


IDS = st.sampled_from(list("abcdefghij"))
MESSAGES = st.lists(
    st.tuples(
        IDS | st.just(""), st.lists(IDS, max_size=4), st.sampled_from(["", "s", "t"]), st.booleans(), st.integers(0, 9)
    ),
    max_size=12,
)


@given(MESSAGES)
def test_each_message_comes_once(given):
    messages = [
        mail(uid, own, "".join(refs), subject, derived=derived, sent=sent)
        for uid, (own, refs, subject, derived, sent) in enumerate(given, 1)
    ]
    for make in (by_references, by_subject):
        tree = make(messages)
        assert sorted(uid for uid in tree.uids if uid) == [message.uid for message in messages]
        before = -1
        for at, (uid, depth) in enumerate(zip(tree.uids, tree.depths, strict=True)):
            assert 0 <= depth <= before + 1
            if not uid:
                assert depth == 0 and tree.depths[at + 1 :][:1] == [1]
            before = depth
        assert tree.depths[:1] in ([], [0])


def chain(n):
    return [
        mail(uid, str(uid), "") if uid == 1 else Threaded(uid, uid, "", False, str(uid), str(uid - 1))
        for uid in range(1, n)
    ]


def turned(n):
    return chain(n)[::-1]


def mixed(n):
    messages = chain(n)
    random.Random(1).shuffle(messages)
    return messages


def many_references(n):
    return [Threaded(1, 1.0, "", False, "x", "\n".join(map(str, range(n))))]


def dummies(n):
    """A chain of absent messages, each with a reply."""
    return [Threaded(uid, uid, "", False, f"r{uid}", f"{uid}\n{uid + 1}") for uid in range(1, n)]


def loops(n):
    return [Threaded(uid, uid, "", False, str(uid), f"{(uid * 7) % n}\n{(uid * 5) % n}") for uid in range(1, n)]


def one_subject(n):
    return [Threaded(uid, -uid, "s", uid % 2 == 0, "", "") for uid in range(1, n)]


@pytest.mark.parametrize("make", [chain, turned, mixed, many_references, dummies, loops, one_subject])
def test_it_takes_linear_time(make):
    for work in (by_references, by_subject):
        assert growth(make, work, 2000) < MOST_GROWTH


def test_a_chain_may_have_any_length():
    tree = by_references(mixed(50_000))
    assert tree.depths == list(range(49_999)) and tree.uids == list(range(1, 50_000))
