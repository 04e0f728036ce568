"""Fuzz of what reads a client's octets: DATA across every seam, smuggling forms, and the arguments of MAIL and RCPT."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_gateway.smtp.paths import parse_mail, parse_rcpt, size_of
from smtp_gateway.smtp.receiving import END, DataReader

PIECES = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\x00", b"\r\n.", b"\r\n.\r\n"])
OCTETS = st.lists(PIECES | st.binary(max_size=6), max_size=40).map(b"".join)
SMUGGLED = [
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\n",
    b"\n\n.\n",
    b"\r\n. \r\n",
    b"\r\n..\r\n",
]


def read(pieces: list[bytes], limit: int = 1 << 20) -> tuple[bool, bytes | None, bytes]:
    """Whether it ended, the message, and what was left for the dialogue."""
    reader = DataReader(limit)
    for at, piece in enumerate(pieces):
        rest = reader.feed(piece)
        if reader.done:
            return True, reader.body(), rest + b"".join(pieces[at + 1 :])
    return False, None, b""


def expected(raw: bytes) -> tuple[bool, bytes | None, bytes]:
    """RFC 5321 4.5.2 written down plainly: lines end with CRLF, a line that is a dot ends the message."""
    if END not in b"\r\n" + raw:
        return False, None, b""
    text, _, rest = (b"\r\n" + raw).partition(END)
    lines = (text + b"\r\n").split(b"\r\n")[1:]
    return True, b"\r\n".join(line[1:] if line[:1] == b"." else line for line in lines), rest


@given(OCTETS, st.lists(st.integers(0, 200), max_size=30))
def test_fuzz_every_split_of_the_same_octets_is_the_same_message(raw: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    split = [raw[low:high] for low, high in itertools.pairwise(edges)]
    wanted = expected(raw)
    assert read([raw]) == wanted
    assert read(split) == wanted
    assert read([raw[at : at + 1] for at in range(len(raw))]) == wanted


@pytest.mark.parametrize("form", SMUGGLED)
def test_what_only_looks_like_the_end_ends_no_message(form: bytes) -> None:
    text = b"Subject: x\r\n\r\nfirst" + form + b"MAIL FROM:<evil@here.test>\r\nDATA\r\nsecond"
    for pieces in ([text], [text[at : at + 1] for at in range(len(text))]):
        assert not read(pieces)[0]
    done, body, rest = read([text + b"\r\n.\r\nQUIT\r\n"])
    assert (done, rest) == (True, b"QUIT\r\n")
    assert body is not None
    assert body.endswith(b"DATA\r\nsecond\r\n")


@given(st.integers(0, 3000), st.integers(1, 900))
def test_fuzz_a_message_over_the_limit_is_read_to_its_end_and_not_kept(size: int, step: int) -> None:
    raw = b"x" * size + b"\r\n.\r\nQUIT\r\n"
    done, body, rest = read([raw[at : at + step] for at in range(0, len(raw), step)], limit=1000)
    assert (done, rest) == (True, b"QUIT\r\n")
    assert (body is None) == (size + 2 > 1000)


ARGUMENTS = st.lists(
    st.sampled_from(
        ["FROM:", "TO:", "<", ">", '"', "\\", "@", ":", ",", " ", "SIZE=1", "=", "a", "\r\n", "\x00", "\x7f"]
    )
    | st.text(max_size=5),
    max_size=20,
).map("".join)


@given(ARGUMENTS | st.text(max_size=200))
def test_fuzz_any_argument_is_a_path_or_none(text: str) -> None:
    for parse, prefix in ((parse_mail, "FROM:"), (parse_rcpt, "TO:")):
        for argument in (text, prefix + text, f"{prefix}<{text}>"):
            path = parse(argument)
            if path is not None:
                assert not any(ord(c) < 32 or ord(c) == 127 for c in path.address)
                assert all(name == name.upper() for name in path.parameters)


@given(st.text(max_size=30))
def test_fuzz_a_size_is_a_number_or_none(text: str) -> None:
    size = size_of(text)
    assert size is None or size >= 0
