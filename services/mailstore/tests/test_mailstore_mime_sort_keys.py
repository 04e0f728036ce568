"""What SORT and THREAD compare: casemap (RFC 5051), base subject (RFC 5256 2.1), message ids (RFC 5256 3), display (RFC 5957)."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.testing.growth import MOST_GROWTH, growth
from mailstore.mime import render
from mailstore.mime.casemap import casemap
from mailstore.mime.message_ids import MAX_REFERENCES, MOST_REFERENCES, message_ids, references
from mailstore.mime.sort_keys import MAX_KEY
from mailstore.mime.subject import base_subject


def test_casemap_is_the_titlecase_of_each_character_decomposed():
    for each in map(chr, range(sys.maxunicode + 1)):
        mapped = each.title()
        expected = unicodedata.normalize("NFKD", mapped if len(mapped) == 1 else each)
        if not 0xD800 <= ord(each) < 0xE000 and casemap(each) != expected:
            raise AssertionError((hex(ord(each)), casemap(each), expected))
    assert casemap("straße ǆ é \ufb01") == "STRAßE Dz\u030c E\u0301 fi".replace("z", "z")
    assert sorted(["b", "a", "_", "B", "é", "f"], key=casemap) == ["a", "b", "B", "é", "f", "_"]


@pytest.mark.parametrize(
    ("subject", "base", "derived"),
    [
        ("Hello", "HELLO", False),
        ("  Re:  hello \t world ", "HELLO WORLD", True),
        ("RE: Fw: fwd : hello (fwd)(FWD) ", "HELLO", True),
        ("Re[2]: hello", "HELLO", True),
        ("Re [2] : hello", "HELLO", True),
        ("[list] Re: [bug 1] [x] hello", "HELLO", True),
        ("[list] hello", "HELLO", False),
        ("[list]", "[LIST]", False),
        ("[a] [b]  ", "[B]", False),
        ("Re: [a]", "[A]", True),
        ("[Fwd: hello]", "HELLO", True),
        ("[fwd: Re: [fwd: [x] hello (fwd)] ]", "HELLO", True),
        ("[fwd: hello", "[FWD: HELLO", False),
        ("Re", "RE", False),
        ("Reply: hello", "REPLY: HELLO", False),
        ("AW: hallo", "AW: HALLO", False),
        ("Re:", "", True),
        ("(fwd)", "", True),
        ("[a[b] c", "[A[B] C", False),
        ("a re: b", "A RE: B", False),
        ("Re\u00a0: caf\u00e9", "CAFE\u0301", True),
        ("", "", False),
    ],
)
def test_base_subject(subject, base, derived):
    assert base_subject(subject) == (base, derived)


@given(st.lists(st.sampled_from(["re", "fw", "fwd", "[", "]", ":", " ", "(fwd)", "[fwd:", "a", "\t"]), max_size=30))
def test_a_base_subject_is_its_own(tokens):
    base, _ = base_subject("".join(tokens))
    assert base_subject(base) == (base, False)


@pytest.mark.parametrize(
    "token", ["[a]", "re:", "[fwd:", "(fwd)", "re[", "fw [a", "[", "] ", "re [a]", "[a] re: ", "re \t"]
)
def test_base_subjects_take_linear_time(token):
    # at 5,000 tokens the caches of a machine with other work count
    for text in (token, token + "]"):
        assert growth(lambda n, text=text: text * n + "x", base_subject, 2_000) < MOST_GROWTH
        assert growth(lambda n, text=text: text * n + "]" * n, base_subject, 2_000) < MOST_GROWTH


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        (b"<a@b>", ["a@b"]),
        (b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
        (b"<01KF8JCEOCBS0045PS@xxx.yyy.com>", ["01KF8JCEOCBS0045PS@xxx.yyy.com"]),
        (b"<A@b> <a@B>", ["A@b", "a@B"]),
        (b"<a@b><c@d>", ["a@b", "c@d"]),
        (b"<a @\r\n b>", ["a@b"]),
        (b"(x) < (y) a (z) @ b (w) >", ["a@b"]),
        (b'<"a\\"b c"@d>', ['a"b c@d']),
        (b"<a@[1.2.3.4]>", ["a@[1.2.3.4]"]),
        (b"Your message of Monday <a@b> from <nobody>", ["a@b"]),
        (b"<a@b", []),
        (b"<<a@b>", ["a@b"]),
        (b"<@b> <a@> <> <a>", []),
        (b'<"a@b> <c@d>', ["c@d"]),
        (b"<(a@b> <c@d>", ["c@d"]),
        (b"a@b", []),
        (b"<\xc3\xbc@b> <\xfc@b>", ["ü@b", "ü@b"]),
        (b"<" + b"x" * 1000 + b"@b> <c@d>", ["c@d"]),
        (b"", []),
    ],
)
def test_message_ids(written, ids):
    assert message_ids(written) == ids
    assert message_ids(written, 1) == ids[:1]


def test_references():
    """RFC 5256 3: the ids of References, else the first valid one of In-Reply-To."""
    assert references(b"<a@b>\r\n <c@d>", b"<e@f>") == ["a@b", "c@d"]
    assert references(b"nothing valid", b"<x> <e@f> <g@h>") == ["e@f"]
    assert references(None, b"<e@f> <g@h>") == ["e@f"]
    assert references(b"<a@b>", None) == ["a@b"] and references(None, None) == references(b"", b"") == []


def test_of_too_many_references_the_first_and_the_last_are_kept():
    ids = [f"{n}@x" for n in range(10_000)]
    kept = references(" ".join(f"<{each}>" for each in ids).encode(), None)
    assert kept == [ids[0], *ids[1 - MOST_REFERENCES :]]
    ids = [f"{n}@{'x' * 300}" for n in range(20)]
    kept = references(" ".join(f"<{each}>" for each in ids).encode(), None)
    assert kept[0] == ids[0] and kept[1:] == ids[1 - len(kept) :] and 3 < len(kept) < 10
    assert len("\n".join(kept)) <= MAX_REFERENCES


@pytest.mark.parametrize("unit", [b"<a@b> ", b"<", b'<"', b'<"a"', b"<(", b'<"a"@[', b"<a@", b"<a@b(c)> "])
def test_message_ids_take_linear_time(unit):
    assert growth(lambda n: (unit * n)[:n], message_ids, 60_000) < MOST_GROWTH


def keys(header: str):
    return render(header.replace("\n", "\r\n").encode() + b"\r\n\r\n").compared.keys


def test_addresses_sort_by_the_first_one():
    found = keys("From: Zed <b.first@x>, Anna <a@x>\nTo: undisclosed: ;\nCc: =?utf-8?q?=C3=BC?= <ü@x>")
    assert (found.from_mailbox, found.to_mailbox, found.cc_mailbox) == ("B.FIRST", "UNDISCLOSED", "U\u0308")
    assert (found.from_display, found.to_display) == ("ZED", "UNDISCLOSED")


@pytest.mark.parametrize(
    ("address", "display"),
    [
        ("=?utf-8?q?J=C3=BCrgen?= <j@x.test>", "JU\u0308RGEN"),
        ('"" <j@x.test>', "J@X.TEST"),
        ("=?utf-8?q??= <j@x.test>", "J@X.TEST"),
        ("j@x.test (Comment)", "COMMENT"),
        ("team: a@b;", "TEAM"),
        ("", ""),
    ],
)
def test_the_display_value_is_the_name_else_the_address(address, display):
    assert keys(f"From: {address}").from_display == keys(f"To: {address}").to_display == display


def test_keys_have_a_bound():
    found = keys(f"Subject: {'s' * 5000}\nFrom: {'n' * 5000} <{'m' * 5000}@x>\nMessage-ID: <{'i' * 5000}@x>")
    assert found.base_subject == "S" * MAX_KEY and found.from_display == "N" * MAX_KEY
    assert found.from_mailbox == "M" * MAX_KEY and found.message_id == ""
