"""Authentication-Results: what is written is what authres and we read back, whatever the values are."""

from typing import Any

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth import authentication_results as ar
from mailauth.authentication_results import AuthenticationResults, BadField, MethodResult

FOUND = AuthenticationResults(
    "mx.example.org",
    (
        MethodResult(
            "spf", "fail", (("smtp.mailfrom", "joe@example.com"), ("smtp.helo", "mx.example.com")), "not (one) of us"
        ),
        MethodResult("dkim", "pass", (("header.d", "example.com"), ("header.s", "2026"), ("header.b", "abc/+123"))),
        MethodResult("dkim", "permerror", (("header.i", "@example.com"), ("header.a", "rsa-sha256"))),
        MethodResult("dmarc", "pass", (("header.from", "example.com"), ("policy.published_domain_policy", "reject"))),
        MethodResult("arc", "none"),
    ),
)


def test_a_field_is_folded_and_read_back() -> None:
    field = ar.write(FOUND)
    assert field.endswith(b"\r\n") and max(map(len, field.split(b"\r\n"))) <= 80
    assert b"policy.published_domain_policy" in field
    assert ar.read(field.partition(b":")[2]) == FOUND


def test_authres_reads_the_same() -> None:
    read = authres.AuthenticationResultsHeader.parse(ar.write(FOUND).decode().replace("\r\n\t", " ").strip())
    assert read.authserv_id == "mx.example.org"
    assert [(each.method, each.result) for each in read.results] == [
        (each.method, each.result) for each in FOUND.results
    ]
    spf = read.results[0]
    assert (spf.smtp_mailfrom, spf.reason) == ("joe@example.com", "not (one) of us")
    assert [prop.value for prop in read.results[1].properties] == ["example.com", "2026", "abc/+123"]


def test_no_result_is_written_as_none() -> None:
    none = AuthenticationResults("mx.example.org")
    assert ar.write(none) == b"Authentication-Results: mx.example.org; none\r\n"
    assert ar.read(b" mx.example.org 1; none") == none


TEXTS = st.text(max_size=60) | st.sampled_from(
    ["\r\nBcc: x@y.test", "@0", "a@b.test", '"', "\\", 'a"; dkim=pass', "a\0b", "", " ", "(", "x" * 2000, "\u2028"]
)


@given(TEXTS, TEXTS, TEXTS, st.booleans())
def test_no_value_adds_a_field_or_a_result(host: str, reason: str, value: str, utf8: bool) -> None:
    found = AuthenticationResults(host, (MethodResult("spf", "pass", (("smtp.mailfrom", value),), reason),))
    field = ar.write(found, utf8=utf8)
    assert field.count(b"\n") == field.count(b"\r\n") == 1 + field.count(b"\r\n\t")
    assert max(map(len, field.split(b"\r\n"))) <= 998 and (utf8 or field.isascii())
    read = ar.read(field.partition(b":")[2])
    (result,) = read.results
    assert (result.method, result.result, len(result.properties)) == ("spf", "pass", 1)
    if value.isascii() and value.isprintable() and len(value) <= ar.MOST_VALUE:
        assert result.properties == (("smtp.mailfrom", value),)
    named = ar.write(AuthenticationResults("mx.test", found.results))  # authres reads no quoted host
    authres_read = authres.AuthenticationResultsHeader.parse(named.decode().replace("\r\n\t", " ").strip())
    assert [each.result for each in authres_read.results] == ["pass"]


@pytest.mark.parametrize("name", ["", "a b", "x;y", "ü", "a\r\n"])
def test_a_method_that_is_no_keyword_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="keyword"):
        ar.write(AuthenticationResults("a", (MethodResult(name, "pass"),)))


OURS = [
    b"Authentication-Results: mx.example.org; spf=pass\r\n",
    b"AUTHENTICATION-results :\r\n\tMX.Example.org. 1; dkim=pass\r\n",
    b'authentication-results: (a (nested) \\) comment) "mx.example.org"; none\r\n',
    b"Authentication-Results: (no end mx.example.org; spf=pass\r\n",
    b"Authentication-Results: ; spf=pass\r\n",
    b"Authentication-Results:\r\n",
]
OTHERS = [
    b"Authentication-Results: mx.example.net; spf=pass\r\n",
    b"Authentication-Results: sub.mx.example.org; spf=pass\r\n",
    b"X-Authentication-Results: mx.example.org; spf=pass\r\n",
    b"Subject: Authentication-Results:\r\n mx.example.org; spf=pass\r\n",
]


def test_what_claims_to_be_ours_is_removed_and_nothing_else() -> None:
    mixed = b"".join(a + b for a, b in zip(OTHERS, OURS, strict=False)) + b"".join(OURS[4:])
    assert ar.without(mixed, {"mx.example.org"}) == b"".join(OTHERS)
    assert ar.without(b"", {"mx.example.org"}) == b""


@pytest.mark.parametrize(
    ("value", "results"),
    [
        (b" a.test; spf=pass (comment; dkim=fail) smtp.mailfrom=joe@a.test; dkim=none", ["pass", "none"]),
        (b"a.test;dkim/1=pass header.i=@a.test;", ["pass"]),
        (b'a.test; auth=pass smtp.auth="j\\"oe"@a.test', ["pass"]),
        ("a.test; auth=pass smtp.mailfrom=jörg@a.test".encode(), ["pass"]),
    ],
)
def test_what_others_write_is_read(value: bytes, results: list[str]) -> None:
    assert [each.result for each in ar.read(value).results] == results


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a; spf",
        b"a; =pass",
        b"a; spf=pass x",
        b'a; spf=pass x.y="',
        b"a; spf=pass x.y=",
        b"a spf=pass",
        b"a; b=c" + b" d.e=f" * 300,
    ],
)
def test_what_is_no_payload_is_refused(value: bytes) -> None:
    with pytest.raises(BadField):
        ar.read(value)


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b";", b"=", b"(", b")", b'"', b"\\", b".", b"@", b" ", b"a"])).map(b"".join)
)
def test_any_octets_are_read_or_refused(value: bytes) -> None:
    try:
        ar.read(value)
    except BadField:
        pass
    assert ar.without(b"Authentication-Results: " + value, ["mx"]) is not None


def test_reading_is_linear(linear: Any) -> None:
    def work(text: bytes) -> None:
        try:
            ar.read(text)
        except BadField:
            pass

    for start, pump in (
        (b"", b"("),
        (b"a; spf=pass (", b"()"),
        (b'a; spf=pass x.y="', b"\\a"),
        (b"", b"a"),
        (b"a;", b" "),
    ):
        linear(lambda n, start=start, pump=pump: work(start + pump * n), 200)
    linear(lambda n: ar.without(b"Authentication-Results: b\r\n (" * n, ["a"]), 100)
