"""The THREAD response is written as RFC 5256 4 and its formal syntax say, at any depth."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from pop_imap_frontend.imap.threads import threads

from .views import view_of


def written(nodes, *, by_uid=True):
    view = view_of(range(1, 200, 2), uidnext=1000)
    uids, depths = [uid for uid, _ in nodes], [depth for _, depth in nodes]
    return b"".join(threads(uids, depths, view, by_uid=by_uid)).decode().removesuffix("\r\n")


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([], "* THREAD"),
        ([(2, 0)], "* THREAD (2)"),
        (
            [(2, 0), (3, 0), (6, 1), (4, 2), (23, 3), (44, 2), (7, 3), (96, 4)],
            "* THREAD (2)(3 6 (4 23)(44 7 96))",
        ),
        ([(0, 0), (3, 1), (5, 1)], "* THREAD ((3)(5))"),
        ([(0, 0), (3, 1), (4, 2), (5, 1), (6, 2), (7, 2), (8, 0)], "* THREAD ((3 4)(5 (6)(7)))(8)"),
        ([(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)], "* THREAD (1 (2 (3)(4))(5))"),
    ],
)
def test_the_examples(nodes, text):
    assert written(nodes) == text


def test_by_number():
    assert written([(1, 0), (7, 1), (3, 0)], by_uid=False) == "* THREAD (1 4)(2)"


def read(text):
    """The nodes that a response names, by its syntax: (number, parent)."""
    found, stack, parent = [], [], None
    for token in re.findall(r"\d+|[()]", text.removeprefix("* THREAD")):
        if token == "(":
            stack.append(parent)
        elif token == ")":
            parent = stack.pop()
        else:
            found.append((int(token), parent))
            parent = int(token)
    assert not stack
    return found


@given(st.lists(st.integers(0, 8), max_size=40))
def test_what_is_written_is_read_as_the_same_tree(deeper):
    nodes, path, expected = [], [], []
    for uid, depth in enumerate(deeper, 1):
        depth = min(depth, len(path))
        del path[depth:]
        nodes.append((uid, depth))
        expected.append((uid, path[-1] if path else None))
        path.append(uid)
    text = written(nodes)
    assert read(text) == expected
    assert "()" not in text and "  " not in text and "( " not in text


def test_a_long_chain_and_many_children_take_linear_time():
    view = view_of([1], uidnext=10)
    for depth in (lambda at: at, lambda at: min(at, 1), lambda at: at % 2):
        make = lambda n, depth=depth: (range(1, n + 1), [depth(at) for at in range(n)])  # noqa: E731
        assert growth(make, lambda given: list(threads(*given, view, by_uid=True)), 5000) < MOST_GROWTH
