"""Transfer encodings decoded in pieces: whatever the pieces, the octets are those of the whole."""

import base64
import quopri
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.mime.text import decode_transfer
from mailstore.mime.transfer import decoder, encoding_of

CUTS = st.lists(st.integers(0, 200), max_size=6)


def decoded(encoding: bytes, data: bytes, cuts: list[int]) -> bytes:
    decode = decoder(encoding)
    assert decode is not None
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [decode.feed(data[low:high]) for low, high in pairwise(places)]
    return b"".join([*pieces, decode.end()])


@given(st.binary(max_size=200), CUTS)
def test_hypothesis_base64(data: bytes, cuts: list[int]) -> None:
    for text in (base64.b64encode(data), base64.encodebytes(data).replace(b"\n", b"\r\n")):
        assert decoded(b"base64", text, cuts) == data
        assert decoded(b"base64", text.rstrip(b"=\r\n"), cuts) == data


@given(st.text("=\r\nab0F \x00\xff", max_size=200).map(lambda text: text.encode("latin-1")), CUTS)
def test_hypothesis_any_octets_are_decoded_alike_in_pieces(data: bytes, cuts: list[int]) -> None:
    for encoding in (b"base64", b"quoted-printable"):
        assert decoded(encoding, data, cuts) == decoded(encoding, data, [])
    assert decoded(b"quoted-printable", data, cuts) == decode_transfer(data, b"quoted-printable")


@given(st.binary(max_size=200), CUTS)
def test_hypothesis_quoted_printable(data: bytes, cuts: list[int]) -> None:
    assert decoded(b"quoted-printable", quopri.encodestring(data), cuts) == data


@pytest.mark.parametrize("place", [65530, 65536, 65537, 65538, 65539])
def test_a_line_without_end_is_decoded_meanwhile(place: int) -> None:
    decode = decoder(b"quoted-printable")
    assert decode is not None
    text = b"x" * place + b"=41" * 3
    first = decode.feed(text[: place + 2])
    assert len(first) > 60_000 or place < 65536
    assert first + decode.feed(text[place + 2 :]) + decode.end() == b"x" * place + b"AAA"


def test_linear_time() -> None:
    for encoding, unit in ((b"base64", b"=A="), (b"quoted-printable", b"="), (b"quoted-printable", b"=\n")):
        assert (
            growth(lambda size, unit=unit: unit * size, lambda text, e=encoding: decoded(e, text, []), 50_000)
            < MOST_GROWTH
        )


@pytest.mark.parametrize(
    ("header", "of_message", "encoding"),
    [
        (b"Content-Transfer-Encoding: BASE64 (x)\r\n\r\n", False, b"base64"),
        (b"Content-Transfer-Encoding: base64\r\n\r\n", True, None),
        (b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n", True, b"base64"),
        (b"Content-Transfer-Encoding: x-uuencode\r\n\r\n", False, b"x-uuencode"),
        (b"Content-Transfer-Encoding: 8Bit\r\n\r\n", False, None),
        (b"", False, None),
    ],
)
def test_the_encoding_of_a_header(header: bytes, of_message: bool, encoding: bytes | None) -> None:
    assert encoding_of(header, of_message=of_message) == encoding
