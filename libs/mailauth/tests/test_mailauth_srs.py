"""Senders of forwarded mail: there and back, for 21 days, and nothing that was not made with a key."""

import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from mailauth import srs

NOW = 1_577_836_860.0  # 2020-01-01 00:01
DAY = 86400
KEY = b"a key"
FORMS = [srs.LONG, srs.CLASSIC]


def made(sender: str, domain: str = "fwd.test", key: bytes = KEY, form: srs.Form = srs.LONG) -> str:
    address = srs.rewrite(sender, domain, key, now=NOW, form=form)
    assert address is not None
    return address


def back(address: str, *keys: bytes, days: float = 0, form: srs.Form = srs.LONG) -> str | None:
    return srs.original(address.rpartition("@")[0], keys or [KEY], now=NOW + days * DAY, form=form)


@pytest.mark.parametrize(
    ("sender", "expected", "leads_to"),
    [
        ("test@otherdomain.com", "SRS0=vmyz=2W=otherdomain.com=test@example.com", "test@otherdomain.com"),
        (
            "SRS0=opaque+string@otherdomain.com",
            "SRS1=chaI=otherdomain.com==opaque+string@example.com",
            "SRS0=opaque+string@otherdomain.com",
        ),
        (
            "SRS1=X=thirddomain.com==opaque+string@otherdomain.com",
            "SRS1=JIBX=thirddomain.com==opaque+string@example.com",
            "SRS0=opaque+string@thirddomain.com",
        ),
    ],
)
def test_the_classic_form_is_that_of_postsrsd(sender: str, expected: str, leads_to: str) -> None:
    """The vectors of postsrsd's own tests, with its key at its time."""
    assert made(sender, "example.com", b"tops3cr3t", srs.CLASSIC) == expected
    assert back(expected, b"tops3cr3t", form=srs.CLASSIC) == leads_to


@pytest.mark.parametrize("form", FORMS)
def test_through_three_forwarders_and_back_past_the_second(form: srs.Form) -> None:
    first = made("Joe=x+y@a.test", "one.test", b"1", form)
    second = made(first, "two.test", b"2", form)
    third = made(second, "three.test", b"3", form)
    assert second.startswith("SRS1=") and "=one.test==" in second and "=one.test==" in third
    assert back(third, b"3", form=form) == back(second, b"2", form=form) == first
    assert back(first, b"1", form=form) == "Joe=x+y@a.test"
    assert back(second, b"1", form=form) is None


def test_an_address_is_accepted_for_21_days() -> None:
    for address in (made("joe@a.test"), made(made("joe@a.test", "other.test", b"other"))):
        assert back(address, days=21) and back(address, days=-1)
        assert back(address, days=22) is back(address, days=-2) is back(address, days=700) is None


def test_another_key_and_the_one_before_it() -> None:
    address = made("joe@a.test", key=b"old")
    assert back(address, b"new") is None
    assert back(address, b"new", b"old") == "joe@a.test"


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_relays_may_change_the_case(change: Callable[[str], str]) -> None:
    for form in FORMS:
        assert back(change(made("joe@a.test", form=form)), form=form) == change("joe@a.test")


@pytest.mark.parametrize(
    "sender", ["", "joe", "@a.test", "joe@", "SRS1=X=a.test@b.test", "SRS1=X==@b.test", "x" * 230 + "@a.test"]
)
def test_what_cannot_be_rewritten(sender: str) -> None:
    assert srs.rewrite(sender, "fwd.test", KEY, now=NOW) is None


@pytest.mark.parametrize(
    "sender", ["jürgen@a.test", '"a b"@a.test', "joe@[192.0.2.1]", "SRS0+x@b.test", "x" * 200 + "@a.test"]
)
def test_odd_senders_come_back(sender: str) -> None:
    assert back(made(sender)) == sender


def mutations(address: str, count: int) -> list[str]:
    """Addresses that differ from `address` in more than the case of ASCII letters."""
    dice = random.Random(12)
    alphabet = string.ascii_letters + string.digits + "=-+.@ \0\u212a\u017f\u00df"
    found: list[str] = []
    while len(found) < count:
        text = list(address)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            at = dice.randrange(len(text))
            match dice.randrange(4):
                case 0:
                    text[at] = dice.choice(alphabet)
                case 1:
                    text.insert(at, dice.choice(alphabet))
                case 2:
                    del text[at]
                case _:
                    other = dice.randrange(len(text))
                    text[at], text[other] = text[other], text[at]
        new = "".join(text)
        if new.encode().lower() != address.encode().lower():
            found.append(new)
    return found


def test_none_of_ten_thousand_mutations_is_accepted() -> None:
    first = made("joe.user@sender.test").rpartition("@")[0]
    second = made(made("joe.user@sender.test", "first.test", b"first")).rpartition("@")[0]
    for local in (first, second):
        assert srs.original(local, [KEY], now=NOW)
        accepted = [each for each in mutations(local, 5000) if srs.original(each, [KEY, b"old"], now=NOW)]
        assert accepted == []
    turned = "SRS0=" + second[5:15] + "=" + second[15:]  # the parts of an SRS1 as those of an SRS0
    assert srs.original(turned, [KEY], now=NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SRS0",
        "SRS0=",
        "SRS0=====",
        "SRS1=",
        "SRS1====",
        "SRS0=a=b",
        "SRS1=a=b",
        "SRS9=a=b=c=d",
        "joe",
        "\0",
        "\ud800",
    ],
)
def test_malformed_text_leads_nowhere(text: str) -> None:
    for form in FORMS:
        assert srs.original(text, [KEY], now=NOW, form=form) is None
    assert srs.is_srs(text) == text.startswith(("SRS0=", "SRS1="))


def test_the_time_is_linear(linear: Callable[[Callable[[int], Any], int], None]) -> None:
    linear(lambda n: srs.original("SRS0=" + "=" * n, [KEY], now=NOW), 1000)
