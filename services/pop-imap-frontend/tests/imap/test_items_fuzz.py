"""Fuzz of what SEARCH and FETCH ask for: any octets are a tree or a refusal; what is written plainly is read as meant."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mailstore_api.wire import Section
from pop_imap_frontend.imap.fetch import parse_items
from pop_imap_frontend.imap.folder.view import FolderView
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.rows import RowWriter
from pop_imap_frontend.imap.search import SearchParser

from .views import view_of

UIDS = [3, 4, 7, 9, 10, 11, 40]
SEARCH_TOKENS = st.sampled_from(
    [
        b" ",
        b"(",
        b")",
        b"ALL",
        b"SEEN",
        b"UNSEEN",
        b"NEW",
        b"OLD",
        b"RECENT",
        b"NOT ",
        b"OR ",
        b"UID ",
        b"1:*",
        b"*",
        b"99",
        b"FROM ",
        b"TEXT ",
        b'"x"',
        b"{1}\r\nx",
        b"SINCE ",
        b"1-Feb-2026",
        b"31-Feb-2026",
        b"LARGER ",
        b"0",
        b"KEYWORD ",
        b"$Junk",
        b"HEADER ",
        b"CHARSET ",
        b"UTF-8 ",
        b"KOI8-R ",
        b"\xff",
        b"SENTON ",
        b"UNKEYWORD ",
    ]
)
FETCH_TOKENS = st.sampled_from(
    [
        b" ",
        b"(",
        b")",
        b"ALL",
        b"FULL",
        b"FAST",
        b"FLAGS",
        b"UID",
        b"BODY",
        b"BODY.PEEK",
        b"BODYSTRUCTURE",
        b"ENVELOPE",
        b"[",
        b"]",
        b"HEADER",
        b"HEADER.FIELDS",
        b"HEADER.FIELDS.NOT",
        b"TEXT",
        b"MIME",
        b"1",
        b".",
        b"1.2",
        b"0",
        b"<0.10>",
        b"<10.0>",
        b"<9999999999.1>",
        b"(From To)",
        b'("a b")',
        b"({2}\r\nab)",
        b"RFC822",
        b"RFC822.SIZE",
        b"RFC822.HEADER",
        b"INTERNALDATE",
        b"\xff",
        b"999999",
    ]
)


def octets(tokens: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(tokens | st.binary(max_size=3), max_size=16).map(b"".join)


def view() -> FolderView:
    return view_of(UIDS, uidnext=41, recent_from=10)


@given(octets(SEARCH_TOKENS))
def test_fuzz_any_search_is_a_tree_or_refused(data: bytes) -> None:
    try:
        tree = SearchParser(Cursor(data), view()).parse()
    except (BadCommand, No) as error:
        assert str(error).isprintable()
    else:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(tree)), "it can go to mailstore"


@given(octets(FETCH_TOKENS))
def test_fuzz_any_fetch_is_items_or_refused(data: bytes) -> None:
    cursor = Cursor(data)
    try:
        items = parse_items(cursor)
    except BadCommand as error:
        assert str(error).isprintable()
        return
    assert items.parts
    assert 0 < cursor.pos <= len(data)
    msgspec.msgpack.encode(items.sections)
    for label, _ in items.parts:
        assert label.endswith(b" ")
        assert b"\r" not in label, "a response stays on its line"
        assert b"\n" not in label
    RowWriter(items, view())


KEYS = st.recursive(
    st.sampled_from(
        [
            ("ALL", ["ALL"]),
            ("SEEN", ["FLAG", "\\Seen"]),
            ("UNSEEN", ["NOT", ["FLAG", "\\Seen"]]),
            ("LARGER 10", ["LARGER", 10]),
            ("SINCE 1-Feb-2026", ["SINCE", "2026-02-01"]),
            ('FROM "a b"', ["FROM", "a b"]),
            ("2:3", ["UID", [(4, 7)]]),
            ("UID 1:5", ["UID", [(3, 4)]]),
            ("HEADER X-A y", ["HEADER", "X-A", "y"]),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda key: (f"NOT {key[0]}", ["NOT", key[1]])),
        st.tuples(inner, inner).map(lambda two: (f"OR {two[0][0]} {two[1][0]}", ["OR", two[0][1], two[1][1]])),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda keys: (f"({' '.join(key[0] for key in keys)})", ["AND", *(key[1] for key in keys)])
        ),
    ),
    max_leaves=12,
)


def holds(node: list[Any], uid: int, known: frozenset[str]) -> bool:
    """What a program says of message `uid`; of keys that are no sets only those in `known` (as text) hold."""
    if node[0] == "UID":
        return any(low <= uid <= high for low, high in node[1])
    if node[0] == "NOT":
        return not holds(node[1], uid, known)
    if node[0] in ("AND", "OR"):
        return {"AND": all, "OR": any}[node[0]](holds(part, uid, known) for part in node[1:])
    return node == ["ALL"] or str(node) in known


LEAVES = [["FLAG", "\\Seen"], ["LARGER", 10], ["SINCE", "2026-02-01"], ["FROM", "a b"], ["HEADER", "X-A", "y"]]


@given(KEYS, st.frozensets(st.sampled_from([str(leaf) for leaf in LEAVES])))
def test_fuzz_a_search_means_what_is_written(key: tuple[str, list[Any]], known: frozenset[str]) -> None:
    written, meant = key
    tree = SearchParser(Cursor(written.encode()), view()).parse()
    for uid in UIDS:
        assert holds(tree, uid, known) == holds(meant, uid, known), tree


PARTS = st.lists(st.integers(1, 20), max_size=4).map(lambda numbers: ".".join(map(str, numbers)))


@given(
    PARTS,
    st.sampled_from(["", "HEADER", "TEXT"]),
    st.none() | st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1)),
    st.booleans(),
)
def test_fuzz_a_section_is_read_as_written(part: str, text: str, partial: tuple[int, int] | None, peek: bool) -> None:
    inside = ".".join(word for word in (part, text) if word)
    tail = f"<{partial[0]}.{partial[1]}>" if partial else ""
    items = parse_items(Cursor(f"BODY{'.PEEK' if peek else ''}[{inside}]{tail}".encode()))
    assert items.sections == [Section(part, text, [], *(partial or ()))]
    assert items.marks_seen is not peek
    assert items.parts[0][0] == f"BODY[{inside}]{f'<{partial[0]}>' if partial else ''} ".encode()
