"""Messages of mbox files: where they begin and end, quoting, fields of mail programs, what later runs know them by."""

import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrider.moving.mbox import source_folder
from postrider.moving.notes import Notes
from vpopmail.tree import Unreadable

LINE = b"From a@far.test Sun Mar  1 10:00:00 2026\n"


def texts(path: Path, most: int = 10**6) -> list[tuple[bytes, bytes]]:
    """What each message is known by, and its octets."""
    found = []
    for folder in source_folder(path, (), Notes(), most):
        for each in folder.messages:
            read = each.read()
            if read is not None:
                found.append((each.source, read[0]))
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LINE + b"A: b\n\ntext\n", [b"A: b\n\ntext\n"]),
        (LINE + b"A: b\n\ntext\n\n" + LINE + b"C: d\n\nmore", [b"A: b\n\ntext\n", b"C: d\n\nmore"]),
        (LINE + b"A: b\n\nx\n" + LINE + b"y\n", [b"A: b\n\nx\n" + LINE + b"y\n"]),
        (LINE + b"A: b\n\nx\n\n\n" + LINE + b"\n", [b"A: b\n\nx\n\n", b""]),
        (LINE + b"A: b\n\nx\n\nFrom me to you\n", [b"A: b\n\nx\n\nFrom me to you\n"]),
        (
            (LINE + b"A: b\n\n>From x\n\n" + LINE + b"A: b\n").replace(b"\n", b"\r\n"),
            [b"A: b\r\n\r\nFrom x\r\n", b"A: b\r\n"],
        ),
        (LINE + b"X-IMAP: 1 2\n\nDON'T DELETE\n\n" + LINE + b"A: b\n", [b"A: b\n"]),
        (LINE + b"Status: RO\nA: b\nX-UID: 7\n\nStatus: text\n", [b"A: b\n\nStatus: text\n"]),
    ],
)
def test_messages(tmp_path, data, expected):
    (tmp_path / "mbox").write_bytes(data)
    assert [text for _, text in texts(tmp_path / "mbox")] == expected


def test_long_lines_and_pieces_at_every_place(tmp_path):
    chance = random.Random(1)
    bodies = [
        b"N: %d\n\n" % n
        + bytes(chance.choices(b"abc \n", k=chance.randrange(300))).replace(b"\n\n", b"\n").strip()
        + b"\n"
        for n in range(500)
    ] + [b"N: long\n\n" + b"x" * 200_000 + b"\n", b"N: last\n\nend\n"]
    (tmp_path / "mbox").write_bytes(b"\n".join(LINE + body for body in bodies))
    assert [text for _, text in texts(tmp_path / "mbox")] == bodies


def test_known_by_its_octets_and_the_equal_ones_before(tmp_path):
    one, two = LINE + b"A: 1\n\nx\n\n", LINE + b"A: 2\n\nx\n\n"
    (tmp_path / "a").write_bytes(one + two + one)
    (tmp_path / "b").write_bytes(two + one.replace(b"A:", b"Status: RO\nA:") + one)
    first, second = ([source for source, _ in texts(tmp_path / name)] for name in "ab")
    assert len(set(first)) == 3 and sorted(first) == sorted(second)


def test_a_large_message_is_left_out_and_takes_no_memory(tmp_path):
    with (tmp_path / "mbox").open("wb") as file:
        file.write(LINE + b"A: b\n\n" + b"x" * 1000)
        file.truncate(200 << 20)
        file.seek(0, 2)
        file.write(b"\n\n" + LINE + b"A: c\n")
    tracemalloc.start()
    found = texts(tmp_path / "mbox")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [text for _, text in found] == [b"A: c\n"] and peak < 4 << 20


@given(
    st.lists(
        st.sampled_from([LINE, b"A: b\n", b"\n", b"\r\n", b"From x", b">From y\n", b"\0", b"Status: R\n", b"z"]),
        max_size=30,
    )
)
def test_fuzz_any_octets_are_an_mbox_or_refused(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("mbox") / "mbox"
    path.write_bytes(b"".join(parts))
    try:
        texts(path)
    except Unreadable:
        assert not path.read_bytes().startswith(LINE)
