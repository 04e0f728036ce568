"""ENVELOPE as sent: every pitfall with the bytes it becomes (RFC 3501 7.4.2, RFC 5322 3.4)."""

import pytest

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.mime import address, render
from mailstore.mime.address import MAX_UNCOMMON, Patience, address_list
from mailstore.mime.compared import Compared
from mailstore.mime.sort_keys import SortKeys


def _field(name: bytes, value: bytes) -> bytes:
    """The place of one field in the ENVELOPE of a message that has no other."""
    envelope = render(name + b": " + value + b"\r\n\r\nbody\r\n").envelope
    before = {b"Date": b"(", b"Subject": b"(NIL ", b"To": b"(NIL NIL NIL NIL NIL "}[name]
    after = {b"Date": b" NIL" * 9, b"Subject": b" NIL" * 8, b"To": b" NIL" * 4}[name] + b")"
    assert envelope.startswith(before) and envelope.endswith(after), envelope
    return envelope[len(before) : -len(after)]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"a@b", b'((NIL NIL "a" "b"))'),
        (b"<a@b>", b'((NIL NIL "a" "b"))'),
        (b"A B <a@b>", b'(("A B" NIL "a" "b"))'),
        (b'"A, B" <a@b>, c@d', b'(("A, B" NIL "a" "b")(NIL NIL "c" "d"))'),
        (b'"A \\"x\\"" <a@b>', b'({5}\r\nA "x" NIL "a" "b"))'),
        (b"a@b (Ann (nested) Bee)", b'(("Ann (nested) Bee" NIL "a" "b"))'),
        (b"A (c) B <a@b>", b'(("A B" NIL "a" "b"))'),
        (b"G: a@b, C <c@d>;", b'((NIL NIL "G" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL))'),
        (b"undisclosed-recipients:;", b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'),
        (b"<@r1,@r2:a@b>", b'((NIL "@r1,@r2" "a" "b"))'),
        (b"=?utf-8?Q?J=C3=B6rg?= <j@x>", b'(("=?utf-8?Q?J=C3=B6rg?=" NIL "j" "x"))'),
        ("Jörg <j@x>".encode(), b'({5}\r\nJ\xc3\xb6rg NIL "j" "x"))'),
        (b"J\xf6rg <j@x>", b'({4}\r\nJ\xf6rg NIL "j" "x"))'),
        (b"a . b @ c . d", b'((NIL NIL "a.b" "c.d"))'),
        (b".net <a@b>", b'((".net" NIL "a" "b"))'),
        (b"a@[192.0.2.1]", b'((NIL NIL "a" "[192.0.2.1]"))'),
        (b'"a b"@c', b'((NIL NIL "a b" "c"))'),
        (b"A\r\n B <a@b>,\r\n\tc@d", b'(("A B" NIL "a" "b")(NIL NIL "c" "d"))'),
        (b"A  B <a@b>", b'(("A B" NIL "a" "b"))'),
        (b"user", b'((NIL NIL "user" "MISSING_DOMAIN"))'),
        (b"Some One", b'(("Some One" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'),
        (b"N <a@b", b'(("N" NIL "a" "SYNTAX_ERROR"))'),
        (b'x "A\r\n B\r\n C <a@b>', b'(("x A B" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))'),
        (b"a@b (one\r\n two\r\n three", b'(("one two" NIL "a" "MISSING_DOMAIN"))'),
        (b"a@[b, c@[d], e@f", b'((NIL NIL "a" "MISSING_DOMAIN"))'),
        (b"<@:a@b>", b'((NIL "INVALID_ROUTE" "MISSING_MAILBOX" "SYNTAX_ERROR"))'),
        (b"", b"NIL"),
        (b"(nobody)", b"NIL"),
    ],
)
def test_addresses(written: bytes, sent: bytes) -> None:
    got = _field(b"To", written)
    # A literal for the name opens its list like a quoted one.
    assert got.replace(b"(({", b"({") == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"plain", b'"plain"'),
        (b"a \r\n b", b"{3}\r\na b"),
        (b"a  b", b"{3}\r\na b"),
        (b'say "x"', b'{7}\r\nsay "x"'),
        (b"back\\slash", b"{10}\r\nback\\slash"),
        ("ö".encode(), b"{2}\r\n\xc3\xb6"),
        (b"=?utf-8?B?w7Y=?=", b'"=?utf-8?B?w7Y=?="'),
        (b"", b'""'),
        (b"   ", b'""'),
        (b"a\0b", b"{5}\r\na\xef\xbf\xbdb"),
    ],
)
def test_subject(written: bytes, sent: bytes) -> None:
    assert _field(b"Subject", written) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"Mon, 2 Jan 2006 15:04:05 -0700", b'"Mon, 2 Jan 2006 15:04:05 -0700"'),
        (b"Mon,  2\tJan", b'"Mon,  2\tJan"'),
        (b"Mon,\r\n 2 Jan", b'"Mon, 2 Jan"'),
        (b'"', b'"\\""'),
        (b"", b'""'),
    ],
)
def test_date_is_sent_as_written(written: bytes, sent: bytes) -> None:
    assert _field(b"Date", written) == sent


def test_absent_fields_are_nil() -> None:
    assert render(b"").envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_sender_and_reply_to_default_to_from() -> None:
    one = b'((NIL NIL "a" "b"))'
    for extra in (b"", b"Sender:\r\nReply-To: ()\r\n"):
        envelope = render(b"From: a@b\r\n" + extra + b"\r\n").envelope
        assert envelope == b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (one, one, one)
    own = render(b"From: a@b\r\nSender: s@t\r\nReply-To: r@s\r\n\r\n").envelope
    assert own == b'(NIL NIL %b ((NIL NIL "s" "t")) ((NIL NIL "r" "s")) NIL NIL NIL NIL NIL)' % one


def test_two_fields_of_a_name_name_all_their_addresses() -> None:
    envelope = render(b"To: a@b\r\nTo: c@d\r\nSubject: 1\r\nSubject: 2\r\n\r\n").envelope
    assert envelope == b'(NIL "2" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)'


def test_columns() -> None:
    rendered = render(
        b"From: =?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_M=C3?= =?utf-8?Q?=BCller?= <j@x>\r\nTo: a@b,\r\n c@d\r\nTo: e@f\r\n"
        b"Cc: J\xf6rg <j@y>\r\nBcc: \xc3\xb6@x\r\nSubject: =?koi8-r?B?8NLJ18XU?=\r\n =?x-none?q?a?= b\0\r\n"
        b"Message-ID: <1@x> \r\nDate: Mon, 2 Jan 2006 23:04:05 -0700\r\n\r\ntext"
    )
    found = rendered.compared
    assert found.from_ == "Jörg Müller <j@x>"
    assert (found.to, found.cc, found.bcc) == ("a@b\nc@d\ne@f", "Jörg <j@y>", "ö@x")
    assert found.subject == "Приветa b"
    assert found.keys.message_id == "1@x"
    assert found.sent_at is not None and found.sent_at.isoformat() == "2006-01-03T06:04:05+00:00"
    assert str(rendered.sent_day) == "2006-01-02"
    empty, nothing = render(b"x"), SortKeys("", "", "", False, "", "", "", "", "")
    assert (empty.compared, empty.sent_day) == (
        Compared(sent_at=None, subject="", from_="", to="", cc="", bcc="", keys=nothing),
        None,
    )


@pytest.mark.parametrize("unit", [b'"" ', b'"".', b"a ", b"().", b"<@a,", b"=?utf-8?q?a?= ", b"a b c:"])
def test_what_is_read_with_the_whole_grammar_is_bounded(unit):
    """The rest of the field is not shown; an address in the common form costs nothing of it."""
    far = b"a@far.test, " * 1500
    odd = unit * (1_000_000 // len(unit))
    for value in (odd, far + odd, odd[:900] + b",\r\n " + far):
        patience = Patience()
        shown = address_list(value, patience)
        assert patience.octets >= -1 and patience.addresses >= 0
        assert len(shown) < 4096 * 60 + MAX_UNCOMMON * 2
        if value.startswith(far):
            assert shown.count(b"far.test") == 1500
    assert growth(lambda n: odd[:n], address_list, 250_000) < MOST_GROWTH


def test_all_address_fields_of_a_message_share_the_bounds(monkeypatch):
    monkeypatch.setattr(address, "MAX_ADDRESSES", 6)
    monkeypatch.setattr(address, "MAX_UNCOMMON", 40)
    raw = b"From: a@b.test\r\n" + b"To: c (d) @e.test, f@g.test\r\n" * 2 + b"Cc: (h) i@j.test, k@l.test\r\n\r\n"
    found = render(raw)
    from_, to = b'((NIL NIL "a" "b.test"))', b'(("d" NIL "c" "e.test")(NIL NIL "f" "g.test")'
    assert found.envelope.startswith(b"(NIL NIL %b %b %b %b" % (from_, from_, from_, to)), found.envelope
    assert found.envelope.count(b"e.test") == 2 and b"i@j" not in found.envelope and b"l.test" not in found.envelope
    texts = found.compared
    assert texts.from_ == "a@b.test" and texts.to.count("e.test") == 2 and "l.test" not in texts.cc


def test_a_long_list_with_odd_addresses_in_it_is_shown_whole():
    many = b", ".join([b"a%d@far.test" % n if n % 10 else b"b%d (Comment) @far.test" % n for n in range(3000)])
    assert address_list(many).count(b"far.test") == 3000
