"""DMARC: a case for each paragraph of RFC 9989 4.10, and for what its record, alignment and From may look like."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.dkim.signature import parse
from mailauth.dkim.verify import DkimResult
from mailauth.dmarc import record
from mailauth.dmarc.author import BadAuthor, author_domain
from mailauth.dmarc.evaluate import DmarcResult, Identifier, evaluate, identifiers
from mailauth.dmarc.reports import ReportAddress, agreed, destination
from mailauth.dmarc.walk import TreeWalk, Walks, targets
from mailauth.header import fields
from mailauth.spf.check import SpfResult
from mailauth.testing import Zones


def zones(**records: str) -> Zones:
    """DMARC records by domain; `_` stands for a dot in a name."""
    found = {f"_dmarc.{name.replace('_', '.')}": {"TXT": [text]} for name, text in records.items()}
    return Zones(found)


def run(author: str, resolver: Zones, *found: str | Identifier) -> DmarcResult:
    """The result with these identifiers; a text is a domain that DKIM authenticated."""
    each = [one if isinstance(one, Identifier) else Identifier("dkim", one) for one in found]
    return asyncio.run(evaluate(author, each, resolver))


def walk(domain: str, resolver: Zones) -> TreeWalk:
    return asyncio.run(Walks(resolver).walk(domain))


R = "v=DMARC1; p=reject"

# -- 4.10: the walk


def test_the_illustration_asks_eight_questions() -> None:
    resolver = Zones()
    walk("a.b.c.d.e.f.g.h.i.j.mail.example.com", resolver)
    assert [name.removeprefix("_dmarc.") for name, _ in resolver.asked] == [
        "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ]
    assert set(resolver.asked.values()) == {1}


@pytest.mark.parametrize(("labels", "queries"), [(1, 1), (2, 2), (7, 7), (8, 8), (9, 8), (127, 8)])
def test_steps_3_4_and_7_count_labels(labels: int, queries: int) -> None:
    names = targets(".".join("a" * labels))
    assert len(names) == queries
    assert [name.count(".") + 1 for name in names[1:]] == list(range(queries - 1, 0, -1))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("v=DMARC1; p=none", True),
        ("v = DMARC1 ;p=none", True),
        ("v=DMARC1", True),
        ("V=DMARC1; p=none", True),
        ("v=dmarc1; p=none", False),
        ("v=DMARC12; p=none", False),
        ("p=none; v=DMARC1", False),
        (" ; v=DMARC1", False),
        ("v=spf1 -all", False),
        ("", False),
    ],
)
def test_step_2_discards_what_does_not_begin_with_the_version(text: str, is_one: bool) -> None:
    assert record.is_dmarc(text.encode()) == is_one
    assert bool(walk("example.com", zones(example_com=text)).found) == is_one


def test_step_2_and_6_discard_several_records_of_one_name() -> None:
    for name in ("a.example.com", "example.com"):
        resolver = Zones({f"_dmarc.{name}": {"TXT": [R, R + "; psd=n", "v=spf1"]}, "_dmarc.com": {"TXT": [R]}})
        assert [at for at, _ in walk("a.example.com", resolver).found] == ["com"]
    both = Zones({"_dmarc.example.com": {"TXT": [R, "other text"]}})
    assert walk("example.com", both).applied is not None


@pytest.mark.parametrize(("psd", "queries"), [("y", 2), ("n", 2), ("u", 4), ("x", 4)])
def test_steps_2_and_6_stop_at_psd(psd: str, queries: int) -> None:
    resolver = zones(b_example_com=f"{R}; psd={psd}")
    walk("a.b.example.com", resolver)
    assert resolver.asked.total() == queries
    first = zones(a_b_example_com=f"{R}; psd={psd}")
    walk("a.b.example.com", first)
    assert first.asked.total() == (1 if psd in "yn" else 4)


# -- 4.10.1: which record, which policy


def test_the_author_domains_record_is_preferred() -> None:
    resolver = zones(a_example_com="v=DMARC1; p=quarantine; sp=none", example_com=R, com=R + "; psd=y")
    found = run("a.example.com", resolver)
    assert (found.record_domain, found.policy) == ("a.example.com", "quarantine")  # p, as it is no subdomain of itself
    assert resolver.asked.total() == 1


def test_then_that_of_its_organizational_domain() -> None:
    found = run("a.b.example.com", zones(b_example_com="v=DMARC1; p=none", example_com=R))
    assert (found.record_domain, found.organizational, found.policy) == ("example.com", "example.com", "reject")


def test_then_that_of_its_public_suffix() -> None:
    resolver = zones(com="v=DMARC1; p=none; sp=quarantine; psd=y")
    found = run("a.example.com", resolver)
    assert (found.record_domain, found.organizational, found.policy) == ("com", "example.com", "quarantine")


def test_a_suffix_is_not_asked_where_the_organizational_domain_has_a_record() -> None:
    resolver = zones(example_com="v=DMARC1; p=none", com=R + "; psd=y; rua=mailto:x@com.test")
    assert run("a.example.com", resolver).record_domain == "example.com"


def test_a_walk_for_the_policy_begins_above_the_author_domain() -> None:
    resolver = zones(example_com=R)
    run("a.example.com", resolver)
    assert list(resolver.asked.values()) == [1, 1, 1]  # and does not ask about the author domain again
    long = zones(c_d_e_f_g_example_com=R)
    assert run("mail.a.b.c.d.e.f.g.example.com", long).record_domain == "c.d.e.f.g.example.com"
    unseen = zones(b_c_d_e_f_g_example_com=R + "; psd=n")  # 5.1.8
    assert run("mail.a.b.c.d.e.f.g.example.com", unseen).result == "none"


@pytest.mark.parametrize(
    ("tags", "exists", "policy"),
    [
        ("p=reject; sp=quarantine; np=none", True, "quarantine"),
        ("p=reject; sp=quarantine; np=none", False, "none"),
        ("p=reject; np=quarantine", True, "reject"),
        ("p=reject; np=quarantine", False, "quarantine"),
        ("p=none; sp=reject", False, "reject"),
        ("p=quarantine", False, "quarantine"),
    ],
)
def test_subdomains_have_sp_or_np_or_p(tags: str, exists: bool, policy: str) -> None:
    resolver = zones(example_com="v=DMARC1; " + tags)
    if exists:
        resolver.add("sub.example.com", MX="mx.example.com")
    assert run("sub.example.com", resolver).policy == policy
    assert resolver.asked["sub.example.com", "A"] == ("np" in tags)


@pytest.mark.parametrize("wrong", ["p=bogus", "sp=none", "p=reject; sp=", "p=reject; np=all", "fo=1"])
def test_a_record_with_a_wrong_policy_asks_for_nothing(wrong: str) -> None:
    found = run("example.com", zones(example_com="v=DMARC1; " + wrong), "example.com")
    assert (found.result, found.policy) == ("none", "none")
    reported = run("example.com", zones(example_com=f"v=DMARC1; {wrong}; rua=mailto:x@example.com"), "example.com")
    assert (reported.result, reported.policy) == ("pass", "none")  # as if p=none
    failed = run("example.com", zones(example_com=f"v=DMARC1; {wrong}; rua=https://example.com/r"))
    assert (failed.result, failed.policy) == ("fail", "none")
    for uri in ("mailto:", "mailto:x", "example.com", "mailto:x y@z", ":", ""):
        assert run("example.com", zones(example_com=f"v=DMARC1; {wrong}; rua={uri}")).result == "none", uri


def test_no_record_is_no_dmarc() -> None:
    found = run("a.example.com", Zones(), "a.example.com")
    assert (found.result, found.policy, found.problem) == ("none", "none", "no DMARC record")


def test_trouble_of_the_dns_is_temporary() -> None:
    for name in ("_dmarc.a.example.com", "_dmarc.example.com", "_dmarc.com"):
        resolver = Zones()
        resolver.fail(name)
        assert run("a.example.com", resolver).result == "temperror"
    resolver = zones(example_com="v=DMARC1; p=none; np=reject")
    resolver.fail("a.example.com")
    assert run("a.example.com", resolver).result == "temperror"
    resolver = zones(a_example_com=R)  # the other questions do not matter
    resolver.fail("_dmarc.example.com")
    assert run("a.example.com", resolver, "a.example.com").result == "pass"


# -- 4.10.2: the organizational domain, and alignment


@pytest.mark.parametrize(
    ("records", "organizational"),
    [
        ({"mail_example_com": R, "example_com": R}, "example.com"),
        ({"mail_example_com": R + "; psd=n", "example_com": R}, "mail.example.com"),
        ({"com": R + "; psd=y"}, "example.com"),
        ({"example_com": R + "; psd=y"}, "mail.example.com"),
        ({"mail_example_com": R, "com": R + "; psd=y"}, "example.com"),
        ({"a_mail_example_com": R + "; psd=y"}, "a.mail.example.com"),
        ({"a_mail_example_com": R + "; psd=n", "example_com": R}, "a.mail.example.com"),
        ({"a_mail_example_com": R}, "a.mail.example.com"),
        ({"com": R}, "com"),
        ({}, "a.mail.example.com"),
    ],
)
def test_the_organizational_domain(records: dict[str, str], organizational: str) -> None:
    assert walk("a.mail.example.com", zones(**records)).organizational == organizational


def test_one_label_below_a_suffix_of_a_long_name() -> None:
    assert walk("a.b.c.d.e.f.g.h.i.example.com", zones(com=R + "; psd=y")).organizational == "example.com"


@pytest.mark.parametrize(
    ("author", "identifier", "records", "result"),
    [
        ("news.example.com", "foo.example.com", {"example_com": R}, "pass"),
        ("news.example.com", "NEWS.example.com", {"example_com": R}, "pass"),
        ("news.example.com", "foo.example.net", {"example_com": R, "example_net": R}, "fail"),
        ("news.example.com", "example.com", {"example_com": R}, "pass"),
        ("example.com", "news.example.com", {"example_com": R}, "pass"),
        ("example.com", "notexample.com", {"example_com": R}, "fail"),
        ("a.com", "b.com", {"a_com": R, "com": R + "; psd=y"}, "fail"),
        ("x.dept.example.com", "example.com", {"dept_example_com": R + "; psd=n", "example_com": R}, "fail"),
        ("x.dept.example.com", "y.dept.example.com", {"dept_example_com": R + "; psd=n", "example_com": R}, "pass"),
        ("example.com", "x.dept.example.com", {"dept_example_com": R + "; psd=n", "example_com": R}, "fail"),
        ("example.com", "a.example.com", {"example_com": R + "; adkim=s"}, "fail"),
        ("example.com", "example.com", {"example_com": R + "; adkim=S"}, "pass"),
        ("example.com", "a.example.com", {"example_com": R + "; aspf=s"}, "pass"),
        ("example.com", "a.example.com", {"example_com": R + "; adkim=x"}, "pass"),
    ],
)
def test_alignment(author: str, identifier: str, records: dict[str, str], result: str) -> None:
    found = run(author, zones(**records), identifier.lower())
    assert found.result == result, found
    assert (found.aligned is not None) == (result == "pass")


def test_spf_is_strict_by_aspf() -> None:
    resolver = zones(example_com=R + "; aspf=s")
    assert run("example.com", resolver, Identifier("spf", "a.example.com")).result == "fail"
    assert run("example.com", resolver, Identifier("spf", "a.example.com"), "b.example.com").aligned == Identifier(
        "dkim", "b.example.com"
    )


def test_no_walk_where_none_is_needed() -> None:
    same = zones(mail_example_com=R)
    assert run("mail.example.com", same, "mail.example.com").result == "pass"
    strict = zones(mail_example_com=R + "; adkim=s; aspf=s")
    assert run("mail.example.com", strict, "example.com", Identifier("spf", "other.test")).result == "fail"
    none = Zones()
    run("example.com", none, "a.example.com", "b.test")
    assert (same.asked.total(), strict.asked.total(), none.asked.total()) == (1, 1, 2)


def test_questions_are_bounded_whatever_signs() -> None:
    deep = ".".join("abcdefghijklm")
    resolver = zones(example_com=R)
    signers = [f"{n}.{n}.{deep}.example.com" for n in range(8)]
    found = run(f"x.{deep}.example.com", resolver, *[Identifier("spf", "y." + deep + ".example.com")], *signers)
    assert found.result == "pass"
    resolver = zones(example_com=R, m_example_com=R + "; psd=n")
    assert run("x.example.com", resolver, *signers).result == "fail"
    assert resolver.asked.total() <= 8 * 10


def test_identifiers_that_could_not_be_looked_up() -> None:
    resolver = zones(example_com=R)
    doubtful = Identifier("spf", "example.com", certain=False)
    assert run("example.com", resolver, doubtful).result == "temperror"
    assert run("example.com", resolver, doubtful, "a.example.com").result == "pass"
    assert run("example.com", resolver, Identifier("spf", "a.example.com", certain=False)).result == "temperror"
    assert run("example.com", resolver, Identifier("spf", "other.test", certain=False)).result == "fail"
    resolver.fail("_dmarc.a.example.com")
    found = run("example.com", resolver, "a.example.com")
    assert (found.result, found.policy) == ("temperror", "reject")


def test_identifiers_of_results() -> None:
    field = b"DKIM-Signature: v=1; a=rsa-sha256; d=d.test; s=s; h=from; bh=AA==; b=AA==\r\n"
    signature = parse(next(fields(field)))
    results = [
        DkimResult("pass", signature),
        DkimResult("pass", signature, partial=True),
        DkimResult("fail", signature),
    ]
    results += [DkimResult("temperror", signature), DkimResult("permerror")]
    dkim = [Identifier("dkim", "d.test"), Identifier("dkim", "d.test", certain=False)]
    assert identifiers(None, results) == dkim
    assert identifiers(SpfResult("pass", "mailfrom", "s.test"), []) == [Identifier("spf", "s.test")]
    assert identifiers(SpfResult("softfail", "mailfrom", "s.test"), []) == []


# -- 4.7: other tags


@pytest.mark.parametrize(
    ("text", "policy", "requested"),
    [
        ("p=reject; t=y", "reject", "quarantine"),
        ("p=quarantine; t=y", "quarantine", "none"),
        ("p=none; t=y", "none", "none"),
        ("p=reject; t=n", "reject", "reject"),
        ("p=reject; t=maybe; pct=0; unknown=1; ; novalue", "reject", "reject"),
        ("P=Reject", "reject", "reject"),
        ("p=reject; p=none", "reject", "reject"),
    ],
)
def test_testing_asks_for_one_level_less(text: str, policy: str, requested: str) -> None:
    found = run("example.com", zones(example_com="v=DMARC1; " + text))
    assert (found.result, found.policy, found.requested) == ("fail", policy, requested)


# -- 5.3.1: From


@pytest.mark.parametrize(
    ("value", "domain"),
    [
        (b"joe@example.com", "example.com"),
        (b"Joe <joe@Example.COM>", "example.com"),
        (b'"joe@evil.test" <joe@example.com> (x@evil.test)', "example.com"),
        (b'"a, b\\" <c@evil.test>" <joe@example.com>', "example.com"),
        (b"=?utf-8?q?joe=40evil=2Etest?= <joe@example.com>", "example.com"),
        (b"a@example.com, b@example.com", "example.com"),
        (b"group: a@example.com, <b@example.com>;", "example.com"),
        (b'"a@evil.test"@example.com', "example.com"),
        (b"joe(a)@(b)example.com(c)", "example.com"),
        (b"joe@\r\n example.com", "example.com"),
        (b"<@relay.test:joe@example.com>", "example.com"),
        ("jörg@bücher.example".encode(), "xn--bcher-kva.example"),
    ],
)
def test_the_domain_of_from(value: bytes, domain: str) -> None:
    assert author_domain(b"Subject: x\r\nFrom: " + value + b"\r\n") == domain


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"From: a@example.com\r\nFrom: a@example.com\r\n",
        b"From:\r\n",
        b"From: a@example.com, b@other.test\r\n",
        b"From: a@example.com <b@example.com> c@other.test\r\n",
        b"From: <a@example.com> <b@other.test>\r\n",
        b"From: <a@example.com\r\n",
        b"From: a@example.com>\r\n",
        b"From: <<a@example.com>>\r\n",
        b'From: "a@example.com\r\n',
        b"From: (a@example.com\r\n",
        b"From: a@[192.0.2.1]\r\n",
        b"From: <>\r\n",
        b"From: @example.com\r\n",
        b"From: a@example..com\r\n",
        b"From: a@b\0@example.com\r\n",
        b"From: a@exa\rmple.com\r\n",
        b"From: a\xff@example.com\r\n",
        b"From: group:;\r\n",
        b"From: " + b"x" * 70000 + b"@example.com\r\n",
    ],
)
def test_from_without_one_domain(header: bytes) -> None:
    with pytest.raises(BadAuthor):
        author_domain(header)


# -- hostile text


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_octets_are_a_record_and_a_from(octets: bytes) -> None:
    record.parse(octets)
    asyncio.run(evaluate(octets.decode("latin-1"), [], Zones()))
    try:
        assert author_domain(b"From: " + octets)
    except BadAuthor:
        pass


def test_reading_is_linear(linear: Any) -> None:
    def read(text: bytes) -> None:
        try:
            author_domain(b"From: " + text)
        except BadAuthor:
            pass

    for pump in (b"(", b"()", b'"', b"<", b"<>", b"a@b.c,", b"\\", b":", b" "):
        linear(lambda n, pump=pump: read(pump * n), 200)
    linear(lambda n: record.parse(b"v=DMARC1" + b";a=b" * n), 100)
    linear(lambda n: record.parse(b"v=DMARC1;rua=" + b"a:b," * n), 100)


# -- reports (RFC 9990)


@pytest.mark.parametrize(
    ("found", "mechanisms"),
    [
        ([("spf", "far.test"), ("dkim", "far.test")], {"spf", "dkim"}),
        ([("spf", "far.test"), ("dkim", "mail.far.test")], {"spf", "dkim"}),
        ([("dkim", "a.far.test"), ("spf", "b.far.test")], {"spf", "dkim"}),
        ([("dkim", "far.test"), ("spf", "other.test")], {"dkim"}),
        ([("spf", "other.test")], set()),
    ],
)
def test_each_mechanism_is_looked_for_if_asked(found: list[tuple[Any, str]], mechanisms: set[str]) -> None:
    resolver = zones(far_test=R)
    given_ = [Identifier(*each) for each in found]
    every = asyncio.run(evaluate("far.test", given_, resolver, every=True))
    assert every.mechanisms == mechanisms and every.result == ("pass" if mechanisms else "fail")
    assert asyncio.run(evaluate("far.test", given_, resolver)).result == every.result


def test_trouble_with_the_second_mechanism_leaves_the_pass() -> None:
    resolver = zones(far_test=R)
    resolver.fail("_dmarc.mail.far.test")
    given_ = [Identifier("spf", "far.test"), Identifier("dkim", "mail.far.test")]
    result = asyncio.run(evaluate("far.test", given_, resolver, every=True))
    assert (result.result, result.mechanisms) == ("pass", {"spf"})


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("mailto:a@b.test", ReportAddress("a@b.test")),
        ("MAILTO:a%2Bc@b.test!10m", ReportAddress("a+c@b.test", 10 << 20)),
        ("mailto:a@b.test!500", ReportAddress("a@b.test", 500)),
        ("mailto:a@b.test?subject=x", ReportAddress("a@b.test")),
        ("mailto:a@b.test,c@d.test", None),
        ("mailto:a@b.test%0d%0aBcc:x@y.test", None),
        ("https://b.test/", None),
    ],
)
def test_where_a_uri_of_rua_leads(uri: str, found: ReportAddress | None) -> None:
    assert destination(uri) == found


@pytest.mark.parametrize(
    ("address", "consent", "places"),
    [
        ("a@mail.far.test", None, ["a@mail.far.test"]),  # the same organizational domain
        ("a@other.test", None, []),
        ("a@other.test", "v=spf1 -all", []),
        ("a@other.test", "v=DMARC1", ["a@other.test"]),
        ("a@other.test", "v=DMARC1; rua=mailto:b@other.test!1k", ["b@other.test"]),
        ("a@other.test", "v=DMARC1; rua=mailto:b@victim.test", []),
        ("a@other.test", "v=DMARC1; rua=mailto:b@other.test,mailto:b@victim.test", []),
    ],
)
def test_a_destination_elsewhere_has_to_agree(address: str, consent: str | None, places: list[str]) -> None:
    resolver = zones(far_test=R)
    if consent is not None:
        resolver.add("far.test._report._dmarc.other.test", TXT=consent)
    found = asyncio.run(agreed("far.test", ReportAddress(address), Walks(resolver), resolver))
    assert [each.address for each in found] == places
