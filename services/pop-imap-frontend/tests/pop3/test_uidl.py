"""UIDL (RFC 1939 7): of imported messages the other system's, of all others `<uidvalidity>.<uid>` (docs/decisions/0105)."""

from array import array

import pytest

from mailstore_api.wire import Maildrop
from pop_imap_frontend.pop3.snapshot import MaildropView


def view(uidls: bytes, count: int = 3) -> MaildropView:
    numbers = array("I", range(1, count + 1)).tobytes()
    return MaildropView(Maildrop("ok", 7, numbers, numbers, 1, uidls))


@pytest.mark.parametrize(
    ("uidls", "expected"),
    [
        (b"", ["7.1", "7.2", "7.3"]),
        (b"a\nb\nc", ["a", "b", "c"]),
        (b"a\n\n", ["a", "7.2", "7.3"]),
        (b"\n\nc", ["7.1", "7.2", "c"]),
        (b"\nUID7-1300000000\n", ["7.1", "UID7-1300000000", "7.3"]),
    ],
)
def test_unique_ids_by_position(uidls, expected):
    drop = view(uidls)
    assert [drop.uidl(at) for at in range(3)] == expected


def test_the_ids_of_a_large_maildrop_take_little_memory():
    drop = view(b"\n".join(b"1300000000.M%dP1.host,S=1000" % n for n in range(10_000)), 10_000)
    assert drop.uidl(9_999) == "1300000000.M9999P1.host,S=1000"
    assert len({drop.uidl(at) for at in range(10_000)}) == 10_000
