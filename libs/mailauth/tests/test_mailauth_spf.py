"""SPF: a case for each mechanism and limit. `make conformance` runs the 203 published ones."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.dns import Answer, DnsTrouble, Kind
from mailauth.spf import lookups, macros, record
from mailauth.spf.check import MOST_EXPLANATION, SpfResult, check_host
from mailauth.testing import Zones

CLIENT = "192.0.2.1"
HOSTS: dict[str, dict[str, list[str]]] = {
    "mx.example.com": {"A": [CLIENT, "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["mx.example.com."]},
    "pass.example": {"TXT": ["v=spf1 +all"]},
    "fail.example": {"TXT": ["v=spf1 -all"]},
    "bad.example": {"TXT": ["v=spf1 nonsense"]},
}


def check(text: str, ip: str = CLIENT, sender: str = "joe@example.com", **more: Any) -> SpfResult:
    zones = Zones({"example.com": {"TXT": [text]}} | HOSTS | more.pop("zones", {}))
    return asyncio.run(check_host(ip, sender, "helo.example.com", zones, now=1e9, **more))


@pytest.mark.parametrize(
    ("text", "result", "term"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass", "ip4:192.0.2.0/24"),
        ("v=spf1 ip4:198.51.100.0/24 -all", "fail", "-all"),
        ("V=SPF1 ?A:mx.example.com", "neutral", "?A:mx.example.com"),
        ("v=spf1 a:mx.example.com//0", "pass", "a:mx.example.com//0"),
        ("v=spf1 ~ptr:example.com", "softfail", "~ptr:example.com"),
        ("v=spf1 exists:%{ir}.%{v}.list.test ~all", "softfail", "~all"),
        ("v=spf1 -include:fail.example include:pass.example", "pass", "include:pass.example"),
        ("v=spf1 include:bad.example", "permerror", "nonsense"),
        ("v=spf1 include:none.example", "permerror", "include:none.example"),
        ("v=spf1 redirect=fail.example", "fail", "-all"),
        ("v=spf1 redirect=none.example", "permerror", ""),
        ("v=spf1", "neutral", ""),
        ("v=spf1 a:%{d1r", "permerror", ""),
        ("v=spf1 ip4:192.0.2.1/033", "permerror", ""),
        ("v=spf1 exp=a.test exp=b.test", "permerror", ""),
        ("v=spf10 +all", "none", ""),
    ],
)
def test_the_result_names_the_record_and_term_that_caused_it(text: str, result: str, term: str) -> None:
    found = check(text)
    assert found.result == result, found
    if result != "permerror":
        assert found.term == term
        assert term in found.record
    else:
        assert found.problem
    if "redirect=fail" in text:
        assert found.record_domain == "fail.example"


def test_helo_is_checked_where_there_is_no_sender() -> None:
    zones = {
        "helo.example.com": {"TXT": ["v=spf1 exists:%{l}.%{o}.ok -all"]},
        "postmaster.helo.example.com.ok": {"A": ["127.0.0.1"]},
    }
    found = check("", sender="", zones=zones)
    assert (found.result, found.identity, found.domain) == ("pass", "helo", "helo.example.com")


@pytest.mark.parametrize(
    "domain", ["localhost", "a..b", "x" * 64 + ".test", "[192.0.2.1]", "é" * 300, "\ud800.test", ""]
)
def test_a_domain_that_is_no_name_has_no_result(domain: str) -> None:
    assert check("v=spf1 -all", sender=f"joe@{domain}").result == "none"


def test_names_in_unicode_are_asked_for_as_a_labels() -> None:
    zones = {"xn--bcher-kva.example": {"TXT": ["v=spf1 -exists:%{l}.test +all"]}}
    assert check("", sender="jörg@bücher.example", zones=zones).result == "pass"  # RFC 8616 4: %{l} matches nothing


def test_an_address_mapped_into_ipv6_is_the_ipv4_address() -> None:
    assert check("v=spf1 ip4:192.0.2.1 -all", ip=f"::ffff:{CLIENT}").result == "pass"


# -- limits


def test_ten_terms_ask_the_dns_and_the_eleventh_is_an_error() -> None:
    ten = "v=spf1 " + "a:mx.example.com " * 9
    assert check(ten + "a:mx.example.com", ip="198.51.100.1").result == "neutral"
    over = check(ten + "a:mx.example.com exists:mx.example.com", ip="198.51.100.1")
    assert (over.result, over.term) == ("permerror", "exists:mx.example.com")


def test_two_answers_may_be_void() -> None:
    assert check("v=spf1 a:a.test a:b.test ?all").result == "neutral"
    assert check("v=spf1 a:a.test a:b.test a:c.test ?all").result == "permerror"


def test_eleven_mx_records_are_an_error() -> None:
    many = {"many.test": {"MX": ["mx.example.com"] * 11}}
    assert check("v=spf1 mx:many.test", zones=many).result == "permerror"


def test_the_worst_record_asks_121_questions() -> None:
    hosts = {f"h{n}.test": {"A": ["198.51.100.1"]} for n in range(10)}
    zones = Zones(
        {"example.com": {"TXT": ["v=spf1 " + "mx:many.test " * 10]}, "many.test": {"MX": list(hosts)}} | hosts
    )
    done = asyncio.run(check_host(CLIENT, "joe@example.com", "h.test", zones, now=0))
    zones_of_names = zones.asked.total()
    expected = 1 + lookups.MOST_TERMS * (1 + lookups.MOST_NAMES)
    # all hosts have one network, so nothing matches and all are asked for; a caching resolver answers most of them
    assert (done.result, zones_of_names) == ("neutral", expected)
    loop = Zones({"a.test": {"TXT": ["v=spf1 include:a.test"]}})
    assert asyncio.run(check_host(CLIENT, "joe@a.test", "h.test", loop, now=0)).result == "permerror"
    assert loop.asked.total() == 11


class _Never:
    """A resolver that does not answer."""

    async def ask(self, name: str, kind: Kind) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError


class _Trouble:
    """A resolver that is out of order, but for one record."""

    async def ask(self, name: str, kind: Kind) -> Answer:
        if kind == "TXT":
            return Answer((b"v=spf1 ptr a -all",))
        raise DnsTrouble("SERVFAIL")


def test_a_check_ends_after_its_time() -> None:
    found = asyncio.run(check_host(CLIENT, "joe@example.com", "h.test", _Never(), now=0, seconds=0.01))
    assert (found.result, found.problem) == ("temperror", "no result within 0.01 s")


def test_trouble_of_the_dns_is_temporary_but_for_ptr() -> None:
    found = asyncio.run(check_host(CLIENT, "joe@example.com", "h.test", _Trouble(), now=0))
    assert (found.result, found.term, found.problem) == ("temperror", "a", "SERVFAIL")


# -- explanations


def explained(text: str) -> str:
    zones = {"why.example.com": {"TXT": [text]}}
    return check("v=spf1 -all exp=why.%{d}", zones=zones, receiver="mx.test").explanation


def test_an_explanation_is_expanded() -> None:
    said = "%{i} is not %{d2}'s: %{c} %{r} %{t} %{l} %{s} %{p}%%%_%-"
    assert (
        explained(said)
        == "192.0.2.1 is not example.com's: 192.0.2.1 mx.test 1000000000 joe joe@example.com mx.example.com% %20"
    )


@pytest.mark.parametrize("text", ["%{x}", "line\r\nbreak", "ö", "x" * (MOST_EXPLANATION + 1), "%{s}" * 200, "%"])
def test_an_explanation_that_is_wrong_or_long_is_not_used(text: str) -> None:
    assert explained(text) == ""


def test_a_domain_included_explains_nothing() -> None:
    zones = {"sub.test": {"TXT": ["v=spf1 exp=why.test +all"]}, "why.test": {"TXT": ["included"]}}
    assert check("v=spf1 -include:sub.test", zones=zones) == check("v=spf1 -include:sub.test", zones=zones)
    assert check("v=spf1 -include:sub.test", zones=zones).explanation == ""


# -- hostile text


def test_a_long_name_loses_labels_from_the_left() -> None:
    values = macros.Values(lookups.ipaddress.ip_address(CLIENT), "joe", "a." * 60 + "test", "h.test", "", 0)
    name = macros.expand_name(macros.parse("%{o}." * 4000 + "end.test"), "example.com", "", values)
    assert len(name) <= 253 and name.endswith("a.a.test.end.test")


def test_reading_a_record_is_linear(linear: Any) -> None:
    for term in ("ip4:192.0.2.1", "a:%{d", "x=%{d2r.-}%%", "-", "a//////"):

        def work(n: int, term: str = term) -> None:
            try:
                record.parse(b"v=spf1 " + b" ".join([term.encode()] * n))
            except macros.BadRecord:
                pass

        work(1)
        if term in ("ip4:192.0.2.1", "x=%{d2r.-}%%"):
            linear(work, 100)
    with pytest.raises(macros.BadRecord, match="octets"):
        record.parse(b"v=spf1 " + b" " * record.MOST_OCTETS)


WORDS = "a mx ptr all include: exists: ip4:1.2.3.4 ip6:::1 redirect= exp= %{ } % / //24 r 99999 example.com i p S - ~ . : = é"
TERMS = st.sampled_from([*WORDS.split(), " ", "\0"])


@given(st.lists(TERMS, max_size=30).map("".join), st.text(max_size=40), st.text(max_size=40))
def test_any_record_sender_and_helo_have_a_result(text: str, sender: str, helo: str) -> None:
    zones = Zones({"example.com": {"TXT": [("v=spf1 " + text).encode()]}} | HOSTS)
    for mail_from in (sender, f"{sender}@example.com"):
        found = asyncio.run(check_host(CLIENT, mail_from, helo, zones, now=0))
        assert found.result and found.explanation.isascii()
    assert zones.asked.total() <= 2 * 133


@given(st.binary(max_size=200))
def test_any_octets_are_a_record_or_refused(octets: bytes) -> None:
    try:
        record.parse(b"v=spf1 " + octets)
    except macros.BadRecord:
        pass
