"""No lone surrogate leaves the parser: what is read as text can be sent on, whatever octets the client wrote."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop_imap_frontend.imap.charsets import CODECS
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.refusals import BadCommand, No
from pop_imap_frontend.imap.utf7 import decode_utf7

OCTETS = st.binary(max_size=40) | st.sampled_from(
    [b"caf\xe9", b"\xed\xa0\x80", b"&2AA-", b"&2D8-", b"&3AA-", b"\xc0\x80"]
)


@given(OCTETS)
def test_what_is_read_can_be_encoded(octets: bytes) -> None:
    literal = b"{%d}%b" % (len(octets), octets)
    quoted = b'"%b"' % octets
    for data in (literal, quoted, octets):
        for read in (Cursor.login_text, Cursor.mailbox, *(lambda c, name=n: c.text(name) for n in CODECS)):
            with contextlib.suppress(BadCommand, No):
                read(Cursor(data)).encode()  # raises for a lone surrogate
    with contextlib.suppress(ValueError):
        decode_utf7(octets).encode()


@pytest.mark.parametrize("octets", [b'"caf\xe9"', b"{4}caf\xe9", b'"\xed\xa0\x80"'])
def test_a_name_or_password_that_is_not_utf8_is_bad(octets: bytes) -> None:
    with pytest.raises(BadCommand):
        Cursor(octets).login_text()
