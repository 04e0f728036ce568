"""The format of packs: what was written is read, and octets that are no whole pack are refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bodystore.pack import BadPack, contents, write
from mailkit.ids import new_id

BODIES = st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=6)


@given(bodies=BODIES)
def test_the_index_leads_to_each_chunk(bodies: list[list[bytes]]) -> None:
    named = [(new_id(), chunks) for chunks in bodies]
    octets, packed = write(named)
    assert contents(octets) == packed
    for (body_id, chunks), place in zip(named, packed, strict=True):
        assert place.body_id == body_id and place.octets == sum(map(len, chunks))
        assert octets[place.at : place.at + place.octets] == b"".join(chunks)


@given(bodies=BODIES, cut=st.integers(1, 30))
def test_a_cut_pack_is_refused(bodies: list[list[bytes]], cut: int) -> None:
    octets, _ = write([(new_id(), chunks) for chunks in bodies])
    with pytest.raises(BadPack):
        contents(octets[:-cut])


@given(octets=st.binary(max_size=200))
def test_hypothesis_of_any_octets(octets: bytes) -> None:
    with suppress(BadPack):  # and no other error
        contents(octets + b"PRPACK1\n")


def test_an_index_of_other_octets_is_refused() -> None:
    octets, _ = write([(new_id(), [b"abc"])])
    for wrong in (b"x" + octets, octets[1:]):
        with pytest.raises(BadPack):
            contents(wrong)
