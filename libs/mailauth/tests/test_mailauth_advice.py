"""Advice about a domain's zone: what is right is silent, and each broken zone has its sentence (decision 99)."""

import asyncio

import pytest

from mailauth.advice.asking import MOST_QUESTIONS
from mailauth.advice.models import Key, MailService
from mailauth.advice.report import verdict
from mailauth.dkim import keys
from mailauth.dns import Answer, Kind
from mailauth.testing import Zones
from tests.support.broken_zones import BROKEN, HOST, KEY, KEY_NAME, OTHER, RECORD, D, put, report, right_zone, spf


def test_a_zone_that_is_right_has_no_problem() -> None:
    found = report(Zones(right_zone()))
    assert [(each.name, each.problems) for each in found if each.problems] == []
    assert {each.state for each in found} == {"right"} and verdict(found) == "right"
    assert [each.purpose for each in found] == [
        "mx", "spf", "dkim", "dmarc", *["alias"] * 3, "mta-sts", "tls-rpt", *["srv"] * 6, *["source"] * 4,
    ]  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_zone_has_its_sentence_and_no_other_purpose_a_false_one(case: str) -> None:
    change, purpose, sentence = BROKEN[case]
    zone = right_zone()
    change(zone)
    found = report(Zones(zone))
    said = [problem for each in found if each.purpose == purpose for problem in each.problems]
    assert any(sentence in each for each in said), said
    assert all(each.endswith(".") and ": " in each for each in said), "each says what to do"
    assert "unknown" not in {each.state for each in found}
    needed = [each for each in found if each.purpose == purpose and each.problems and each.needed]
    if needed or any(each.state == "wrong" for each in found):
        assert verdict(found) == "wrong"
    others = {each.purpose for each in found if each.problems} - {purpose}
    assert len(said) == 1 or case in ("no srv", "spf for everybody"), said
    if case not in ("no domain", "helo without address", "helo is private"):
        assert others == set(), [each for each in found if each.problems]


def test_what_is_only_advised_may_be_missing() -> None:
    zone = right_zone()
    for name in (f"smtp.{D}", f"_imaps._tcp.{D}", f"_mta-sts.{D}"):
        del zone[name]
    found = report(Zones(zone))
    assert {each.name for each in found if each.state == "missing"} == {
        f"smtp.{D}",
        f"_imaps._tcp.{D}",
        f"_mta-sts.{D}",
    }
    assert verdict(found) == "right"


def test_remarks_change_no_state() -> None:
    zone = right_zone()
    put(f"_dmarc.{D}", "TXT", f"v=DMARC1; p=none; rua=mailto:a@{D}")(zone)
    put(f"_pop3._tcp.{D}", "SRV", "0 0 0 .")(zone)
    found = report(Zones(zone), held=(Key("pr-ed1", "ed25519-sha256", RECORD, active=False),))
    said = [each.remarks[0] for each in found if each.remarks]
    assert [each.partition(" ")[0] for each in said] == ["The", "p=none", "_pop3._tcp.shop.test"]
    assert verdict(found) == "right"


def test_a_mail_host_with_our_address_is_ours() -> None:
    zone = right_zone()
    put(D, "MX", f"mx.{D}")(zone)
    put(f"mx.{D}", "A", "198.51.100.7")(zone)
    assert verdict(report(Zones(zone))) == "right"


def test_a_policy_of_the_parent_applies_and_reports_elsewhere_need_its_consent() -> None:
    zone = right_zone()
    put(f"_dmarc.{D}", "TXT", "v=DMARC1; p=none; rua=mailto:a@reports.test")(zone)
    put(f"{D}._report._dmarc.reports.test", "TXT", "v=DMARC1")(zone)
    assert verdict(report(Zones(zone))) == "right"
    put(f"_dmarc.{D}", "TXT")(zone)
    put("_dmarc.test", "TXT", "v=DMARC1; p=reject; psd=y")(zone)
    assert [each.remarks for each in report(Zones(zone)) if each.purpose == "dmarc"] == [
        ("The record of test applies to shop.test.",)
    ]


def test_a_key_behind_a_cname_is_right_and_a_domain_without_keys_is_told_how_to_make_them() -> None:
    zone = right_zone()
    put(KEY_NAME, "CNAME", "pr-ed1.keys.host.test")(zone)
    put("pr-ed1.keys.host.test", "TXT", RECORD)(zone)
    assert verdict(report(Zones(zone))) == "right"
    found = report(Zones(zone), held=())
    assert [each.problems[0][:28] for each in found if each.purpose == "dkim"] == ["shop.test has no DKIM keys: "]
    assert verdict(found) == "wrong"


@pytest.mark.parametrize(
    "name", [D, HOST, KEY_NAME, f"_dmarc.{D}", f"smtp.{D}", "i.test", f"_mta-sts.{D}", "7.100.51.198.in-addr.arpa"]
)
def test_a_zone_that_does_not_answer_could_not_be_asked(name: str) -> None:
    zone = right_zone()
    spf(f"v=spf1 include:i.test a:{HOST} -all")(zone)
    put("i.test", "TXT", "v=spf1 -all")(zone)
    zone.pop(name, None)
    resolver = Zones(zone)
    resolver.fail(name)
    found = report(resolver)
    assert any(each.state == "unknown" for each in found)
    wrong = [each for each in found if each.problems and each.state != "unknown"]
    assert wrong == []
    assert all("could not be asked" in each.problems[0] for each in found if each.state == "unknown")


class Silent(Zones):
    """Never answers about names of one domain."""

    def __init__(self, zone: dict[str, dict[str, list[str]]], silent: str) -> None:
        super().__init__(zone)
        self._silent = silent
        self.most = self.now = 0

    async def ask(self, name: str, kind: Kind) -> Answer:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if name.endswith(self._silent):
                await asyncio.Event().wait()
            return await super().ask(name, kind)
        finally:
            self.now -= 1


def test_a_slow_zone_ends_at_the_deadline_and_the_rest_is_known() -> None:
    resolver = Silent(right_zone(), f"_tcp.{D}")
    found = report(resolver, seconds=0.05)
    assert {each.purpose for each in found if each.state == "unknown"} == {"srv"}
    assert verdict(found) == "right", "what is only advised may be unknown"
    assert resolver.now == 0 and resolver.most <= 20


def test_the_most_questions_are_bounded() -> None:
    zone = right_zone()
    many = [f"m{n}.test" for n in range(200)]
    put(D, "MX", *many)(zone)
    spf("v=spf1 " + " ".join(f"mx:{name}" for name in many[:9]) + " -all")(zone)
    for name in many:
        zone[name] = {"A": ["198.51.100.9"], "MX": [f"x{n}.{name}" for n in range(10)]}
        zone |= {f"x{n}.{name}": {"A": [f"203.0.113.{n}"]} for n in range(10)}
    sending = tuple(f"m{n}.test" for n in range(100))
    resolver = Zones(zone)
    report(resolver, MailService((HOST, *many), sending), tuple(KEY for _ in range(50)))
    assert sum(resolver.asked.values()) <= MOST_QUESTIONS
    assert set(resolver.asked.values()) == {1}, "each once"


def test_hostile_records_are_shown_as_bounded_printable_text() -> None:
    zone = right_zone()
    zone[KEY_NAME] = {"TXT": ["\x1b[31m" + "a" * 9000]}
    (found,) = [each for each in report(Zones(zone)) if each.purpose == "dkim"]
    assert all(char.isprintable() for text in (*found.found, *found.problems) for char in text)
    assert all(len(text) < 1000 for text in (*found.found, *found.problems))


def test_the_keys_of_this_file_can_be_read() -> None:
    assert keys.read(RECORD.encode(), "ed25519-sha256") and keys.read(OTHER.encode(), "ed25519-sha256")
