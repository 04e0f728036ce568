"""Octets in pieces: joined in order, and in memory once whatever their size."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.net.pieces import SMALL, Pieces


@given(st.lists(st.binary(max_size=5) | st.integers(SMALL - 1, SMALL + 1).map(bytes), max_size=20))
def test_what_went_in_comes_out(octets: list[bytes]) -> None:
    pieces = Pieces()
    for each in octets:
        pieces.append(each)
    assert pieces.join() == b"".join(octets)


@pytest.mark.parametrize("size", [1, 2, 100, SMALL - 1, SMALL])
def test_memory_is_what_is_counted(size: int) -> None:
    total = 256 * 1024
    arriving = iter([bytes(size) for _ in range(total // size)])
    tracemalloc.start()
    pieces = Pieces()
    for each in arriving:
        pieces.append(bytes(bytearray(each)))  # an object of its own, as from a socket
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pieces.join()) >= total - size
    assert used < 1.25 * total
