"""Forged From fields: whatever their form, no client of site.test writes as somebody of victim.test (decision 89)."""

import random
from collections.abc import Sequence
from email import message_from_bytes, policy

import pytest

from auth_api.wire import AuthorAnswer, AuthorQuestion
from mailkit.rpc.batch import Batcher
from smtp_gateway.policy.author import AuthorCheck

OWN, VICTIM = "me@site.test", "ceo@victim.test"
#: Ways to show the victim's address; {v} is the address, {l} and {d} its parts, {o} the client's own.
FORGERIES = (
    "{v}",
    "<{v}>",
    "Boss <{v}>",
    '"{o}" <{v}>',
    "{o} <{v}>",
    "{v} <{o}>",
    "{o}, {v}",
    "{v}, {o}",
    "<{o}>,<{v}>",
    "{o};{v}",
    "Team: {v};",
    "Team: {o}, {v};",
    "{o}, Team: {v};",
    "(comment) {v}",
    "{l}@(comment){d}",
    "{l}(a (nested) one)@{d}",
    "{l} @ {d}",
    '"{l}"@{d}',
    "<{o}> {v}",
    "<{o}> <{v}>",
    "<{v}> <{o}>",
    "<<{v}>>",
    "<{o}<{v}>",
    "<@relay.test:{v}>",
    "<@{d}:{o}>",
    "{l}@{d}.",
    "=?utf-8?q?{l}=40{d}?=",
    "=?utf-8?b?Y2VvQHZpY3RpbS50ZXN0?=",
    "=?utf-8?q?{o}?= {v}",
    "{o}\r\nFrom: {v}",
    "{v}\r\nFrom: {o}",
    "{o}\r\nFROM : {v}",
    "{o}\r\nfrom:\r\n {v}",
    "{o},\r\n\t{v}",
    "{o} (\\) , {v} (",
    '"\\" <{o}>" <{v}>',
    '{o} "',
    "{v}\x0b",
    "{o},,{v}",
    "<{v}",
    "<>{v}",
    "",
    "Nobody",
    "{l}@\ufeff{d}",
    "{l}\uff20{d}",
    "<{o}>, =?utf-8?q?x?= <{v}>",
)


async def rule(items: Sequence[AuthorQuestion]) -> list[AuthorAnswer]:
    """The answer of auth to an account of site.test, at `enforce`."""
    return [AuthorAnswer(each.readable and all(a.endswith("@site.test") for a in each.addresses), []) for each in items]


def varied(text: str, dice: random.Random) -> str:
    """`text` with changes of case and white space that change no meaning."""
    made = "".join(each.swapcase() if dice.random() < 0.2 else each for each in text)
    if dice.random() < 0.3:
        made = " " * dice.randrange(3) + made + "\t" * dice.randrange(3)
    if dice.random() < 0.3:
        made = "(" + dice.choice(["x", OWN, "\\)", "(y)"]) + ") " + made
    return made


async def test_no_forgery_of_500_passes() -> None:
    dice = random.Random(12)
    check = AuthorCheck(Batcher(rule))
    passed = []
    for n in range(500):
        form = FORGERIES[n % len(FORGERIES)]
        local, domain = VICTIM.split("@")
        value = varied(form.format(v=VICTIM, o=OWN, l=local, d=domain), dice)
        header = f"Subject: x\r\nFrom: {value}\r\nTo: y@far.test\r\n".encode()
        for from_rule in ("none", "some"):
            found = await check.check(header, OWN, from_rule, "192.0.2.1", None)
            if found.allowed:
                passed.append(value)
    assert passed == []


@pytest.mark.parametrize(
    "value",
    [
        "me@site.test",
        "<Me@Site.Test>",
        '"Doe, John (Sales)" <me@site.test>',
        '"ceo@victim.test" <me@site.test>',
        "John Doe <john.doe@site.test>, other@site.test",
        "=?utf-8?q?J=C3=BCrgen?= <me@site.test>",
        "J\u00fcrgen <me@site.test>",
        "me@site.test (ceo at victim)",
        "Team: me@site.test, you@site.test;",
        '"me too"@site.test',
        "me\r\n <me@site.test>",
        "me@site.test <me@site.test>",
    ],
)
async def test_own_addresses_pass_in_every_form_and_read_as_other_programs_read_them(value: str) -> None:
    asked: list[AuthorQuestion] = []

    async def ask(items: Sequence[AuthorQuestion]) -> list[AuthorAnswer]:
        asked.extend(items)
        return await rule(items)

    header = f"From: {value}\r\n".encode()
    assert (await AuthorCheck(Batcher(ask)).check(header, OWN, "some", None, None)).allowed
    read = message_from_bytes(header + b"\r\n", policy=policy.default)["from"].addresses
    assert asked[0].addresses == list(dict.fromkeys(f"{each.username}@{each.domain.lower()}" for each in read))


async def test_more_addresses_than_are_asked_about_count_as_unreadable() -> None:
    asked: list[AuthorQuestion] = []

    async def ask(items: Sequence[AuthorQuestion]) -> list[AuthorAnswer]:
        asked.extend(items)
        return await rule(items)

    header = b"From: " + b", ".join(b"u%d@site.test" % n for n in range(51)) + b"\r\n"
    assert not (await AuthorCheck(Batcher(ask)).check(header, OWN, "some", None, None)).allowed
    assert (len(asked[0].addresses), asked[0].readable) == (50, False)
