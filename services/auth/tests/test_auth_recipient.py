"""RCPT questions: S10, S14, L1-L3, the route tricks, forwards followed to their end, and the hour's cap."""

import asyncio
import time
from uuid import UUID

import pytest

from auth.storage import directory
from auth_api import wire


async def test_l3_a_mailbox_by_its_address_without_case(auth):
    box = await auth.make("Mary.Sue+x@Site.com")
    for address in ("mary.sue+x@site.com", "MARY.sue+X@SITE.COM", "mary.sue+x@site.com.", '"mary.sue+x"@site.com'):
        answer = await auth.rcpt(address)
        assert answer == wire.RecipientAnswer(
            "accepted", [wire.Target("mary.sue+x@site.com", box, 1024**3, 1)], None
        ), address


async def test_s14_nobody_there(auth):
    await auth.admin.add_domain("site.com")
    assert (await auth.rcpt("nobody@site.com")).verdict == "no_mailbox"


async def test_s10_a_stranger_may_not_relay_whatever_he_calls_himself(auth):
    await auth.make("a@site.com")
    for sender in ("", "a@site.com", "x@far.test"):
        assert (await auth.rcpt("x@far.test", mail_from=sender)).verdict == "not_relayed"


async def test_a_new_domain_is_ours_a_second_later_at_most(auth, monkeypatch):
    """That a domain is not ours is remembered; whose it is, and who may send there, is not."""
    a = await auth.make("a@site.com")
    now = time.monotonic()
    monkeypatch.setattr(directory.time, "monotonic", lambda: now)
    assert (await auth.rcpt("x@soon.test", login=a)).account == a
    b = await auth.make("x@soon.test")
    assert (await auth.rcpt("x@soon.test", login=a)).account == a
    assert (await auth.rcpt("x@soon.test")).verdict == "not_relayed"
    now += 1.01
    assert (await auth.rcpt("x@soon.test")).targets[0].mailbox_id == b
    await auth.make("y@soon.test")
    assert (await auth.rcpt("y@soon.test")).verdict == "accepted"


async def test_auth_and_grants_may_relay_and_are_charged(auth):
    a, b = await auth.make("a@site.com"), await auth.make("b@site.com")
    assert await auth.rcpt("X.y@Far.test.", login=a) == wire.RecipientAnswer(
        "accepted", [wire.Target("X.y@far.test")], a
    )
    await auth.login("b@site.com")
    assert (await auth.rcpt("x@far.test")).account == b
    assert (await auth.rcpt("x@far.test", login=a)).account == a
    assert (await auth.rcpt("b@site.com", login=a)).account is None


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("a%far.test@site.com", "no_mailbox"),
        ("far.test!a@site.com", "no_mailbox"),
        ('"a@far.test"@site.com', "no_mailbox"),
        ('"a%far.test"@site.com', "no_mailbox"),
        ("@site.com:u@far.test", "not_relayed"),
        ("@site.com,@b.test:u@far.test", "not_relayed"),
        ("@far.test:a@site.com", "accepted"),
        ("u@[192.0.2.1]", "not_relayed"),
        ("u@[IPv6:2001:db8::1]", "not_relayed"),
        ("u@[127.0.0.1]", "not_relayed"),
        ("u@far.test.", "not_relayed"),
        ("a@site.com.", "accepted"),
        ("u@site.com@far.test", "bad_address"),
        ("a@far.test@site.com", "bad_address"),
        ("u", "bad_address"),
        ("u@", "bad_address"),
        ("@site.com", "bad_address"),
        ("", "bad_address"),
        ("a b@site.com", "bad_address"),
        ("a@site.com\r\nX: y", "bad_address"),
        ("a@si te.com", "bad_address"),
        ("a@[1.2.3]", "bad_address"),
        ("a@site.com\x00", "bad_address"),
        ("x" * 65 + "@site.com", "no_mailbox"),
        ("x@" + "y." * 140 + "test", "bad_address"),
    ],
)
async def test_no_route_tricks_for_a_stranger(auth, address, verdict):
    await auth.make("a@site.com")
    assert (await auth.rcpt(address)).verdict == verdict


async def test_what_is_passed_on_keeps_its_local_part_and_quotes_only_where_needed(auth):
    a = await auth.make("a@site.com")
    for given, passed in [
        ("u%x@far.test", "u%x@far.test"),
        ('"u"@far.test', "u@far.test"),
        ('"a b"@far.test', '"a b"@far.test'),
        (r'"a\"b\\c"@far.test', r'"a\"b\\c"@far.test'),
        ("u@[IPv6:2001:DB8:0::1]", "u@[IPv6:2001:db8::1]"),
        ("@site.com:u@far.test", "u@far.test"),
        ("u@bücher.test", "u@xn--bcher-kva.test"),
    ]:
        assert [target.address for target in (await auth.rcpt(given, login=a)).targets] == [passed]


async def test_a_bare_postmaster_is_the_oldest_domains(auth):
    assert (await auth.rcpt("postmaster")).verdict != "accepted"
    await auth.admin.add_domain("site.com")
    auth.pass_time(1)
    await auth.admin.add_domain("a-later.com")
    for address in ("postmaster", "Postmaster", "POSTMASTER"):
        answer = await auth.rcpt(address)
        assert [target.address for target in answer.targets] == ["postmaster@site.com"]


@pytest.mark.parametrize("settings", [{"primary_domain": "Prime.test"}], indirect=True)
async def test_a_bare_postmaster_is_the_primary_domains_when_it_is_named(auth):
    await auth.admin.add_domain("site.com")
    await auth.admin.add_domain("prime.test")
    assert [target.address for target in (await auth.rcpt("postmaster")).targets] == ["postmaster@prime.test"]


async def test_l2_forwards_with_and_without_a_copy(auth):
    a, b = await auth.make("a@site.com"), await auth.make("b@other.org")
    await auth.admin.add_forward("a@site.com", ["b@other.org", "x@far.test", "B@Other.org"])
    answer = await auth.rcpt("A@site.com")
    assert {target.mailbox_id or target.address for target in answer.targets} == {b, "x@far.test"}
    assert (answer.verdict, answer.account) == ("accepted", None)  # nobody relays here: the mail is for us
    await auth.admin.delete_forward("a@site.com")
    await auth.admin.add_forward("a@site.com", ["x@far.test"], keep_copy=True)
    assert {target.mailbox_id or target.address for target in (await auth.rcpt("a@site.com")).targets} == {
        a,
        "x@far.test",
    }
    await auth.admin.delete_forward("a@site.com")
    await auth.admin.add_forward("a@site.com", ["a@site.com", "x@far.test"])  # qmail's way to ask for the copy
    assert {target.mailbox_id or target.address for target in (await auth.rcpt("a@site.com")).targets} == {
        a,
        "x@far.test",
    }
    await auth.admin.add_forward("list@site.com", ["a@site.com", "b@other.org", "nobody@site.com"])
    assert {target.mailbox_id or target.address for target in (await auth.rcpt("list@site.com")).targets} == {
        a,
        b,
        "x@far.test",
    }
    await auth.admin.add_forward("dead@site.com", ["nobody@site.com"])
    assert (await auth.rcpt("dead@site.com")).verdict == "no_mailbox"


async def test_an_address_with_a_tag_is_that_without_it_where_the_domain_says_so(auth):
    a, b = await auth.make("a@site.com"), await auth.make("b@site.com")
    exact = await auth.make("a+own@site.com")
    other = await auth.make("a@other.org")
    await auth.admin.add_forward("list@site.com", ["b@site.com", "x@far.test"])
    await auth.admin.set_catchall("site.com", "mailbox", mailbox="b@site.com")

    async def where(address: str) -> set[object]:
        return {target.mailbox_id or target.address for target in (await auth.rcpt(address)).targets}

    assert await where("a+t@site.com") == {b}, "off: the catch-all's"
    await auth.admin.set_tags("site.com", True)
    assert await where("A+Tag+more@Site.com") == {a}
    assert [target.via for target in (await auth.rcpt("a+Tag@site.com")).targets] == ["a+Tag@site.com"]
    assert await where("a+@site.com") == {a}
    assert await where("a+own@site.com") == {exact}, "a mailbox of that name comes first"
    assert await where("list+t@site.com") == {b, "x@far.test"}
    assert await where("nobody+t@site.com") == await where("+t@site.com") == {b}, "unknown without the tag, too"
    await auth.admin.add_forward("a+sold@site.com", ["y@far.test"])
    assert await where("a+sold@site.com") == {"y@far.test"}, "and so does a forward"
    assert other and (await auth.rcpt("a+t@other.org")).verdict == "no_mailbox", "another domain's choice"
    await auth.admin.set_catchall("site.com", "bounce")
    assert (await auth.rcpt("nobody+t@site.com")).verdict == "no_mailbox"
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    assert (await auth.rcpt("a+t@site.com")).verdict == "no_mailbox"
    await auth.admin.set_tags("site.com", False)
    assert (await auth.rcpt("b+t@site.com")).verdict == "no_mailbox"


async def test_l1_catch_all_to_a_mailbox_elsewhere_or_nobody(auth):
    a = await auth.make("a@site.com")
    await auth.make("b@other.org")
    await auth.admin.set_catchall("site.com", "mailbox", mailbox="a@site.com")
    answer = await auth.rcpt("anything%x@site.com")
    assert [(target.mailbox_id, target.address) for target in answer.targets] == [(a, "a@site.com")]
    await auth.admin.set_catchall("other.org", "forward", targets=["x@far.test", "hit@site.com"])
    answer = await auth.rcpt("anything@other.org")
    assert {target.mailbox_id or target.address for target in answer.targets} == {a, "x@far.test"}
    assert [target.address for target in (await auth.rcpt("b@other.org")).targets] == ["b@other.org"]
    await auth.admin.set_catchall("site.com", "bounce")
    assert (await auth.rcpt("anything@site.com")).verdict == "no_mailbox"
    await auth.admin.set_catchall("site.com", "mailbox", mailbox="a@site.com")
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    assert (await auth.rcpt("anything@site.com")).verdict == "no_mailbox"
    await auth.admin.delete_mailbox("a@site.com")
    assert (await auth.rcpt("anything@site.com")).verdict == "no_mailbox"
    assert (await auth.admin.domain("site.com"))["catchall"]["kind"] == "bounce"


async def test_circles_are_loops_and_diamonds_are_not(auth):
    d = await auth.make("d@site.com")
    for address, targets in [
        ("a@site.com", ["b@site.com"]),
        ("b@site.com", ["c@site.com", "x@far.test"]),
        ("c@site.com", ["A@Site.com"]),
        ("top@site.com", ["left@site.com", "right@site.com"]),
        ("left@site.com", ["d@site.com"]),
        ("right@site.com", ["d@site.com"]),
    ]:
        await auth.admin.add_forward(address, targets)
    for address in "abc":
        assert (await auth.rcpt(f"{address}@site.com")).verdict == "loop"
    assert [target.mailbox_id for target in (await auth.rcpt("top@site.com")).targets] == [d]


async def test_ten_levels_are_followed_eleven_are_a_loop(auth):
    box = await auth.make("end@site.com")
    for n in range(12):
        await auth.admin.add_forward(f"f{n}@site.com", [f"f{n - 1}@site.com" if n else "end@site.com"])
    assert [target.mailbox_id for target in (await auth.rcpt("f9@site.com")).targets] == [box]
    assert (await auth.rcpt("f10@site.com")).verdict == "loop"
    assert (await auth.rcpt("f11@site.com")).verdict == "loop"


async def test_a_hundred_targets_are_followed_one_more_is_a_loop(auth):
    await auth.admin.add_domain("site.com")
    await auth.admin.add_forward("half@site.com", [f"u{n}@far.test" for n in range(50)])
    await auth.admin.add_forward("other@site.com", [f"v{n}@far.test" for n in range(50)])
    await auth.admin.add_forward("all@site.com", ["half@site.com", "other@site.com"])
    await auth.admin.add_forward("more@site.com", ["all@site.com", "w@far.test"])
    assert len((await auth.rcpt("all@site.com")).targets) == 100
    assert (await auth.rcpt("more@site.com")).verdict == "loop"


async def test_a_disabled_mailbox_takes_mail_one_being_removed_does_not(auth):
    await auth.make("a@site.com")
    await auth.admin.disable_mailbox("a@site.com")
    assert (await auth.rcpt("a@site.com")).verdict == "accepted"
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    assert (await auth.rcpt("a@site.com")).verdict == "no_mailbox"


async def test_a_new_limit_comes_with_a_higher_version(auth):
    await auth.make("a@site.com")
    await auth.admin.set_quota("a@site.com", 25 * 1024**2)
    (target,) = (await auth.rcpt("a@site.com")).targets
    assert (target.quota_limit, target.limit_version) == (25 * 1024**2, 2)


@pytest.mark.parametrize(
    "settings", [{"recipients_per_hour": 10, "limit_exempt_networks": "198.51.100.0/24"}], indirect=True
)
async def test_the_hours_cap_is_exact_under_concurrency_and_only_for_relaying(auth):
    a = await auth.make("a@site.com")
    b = await auth.make("b@site.com")

    def question(n: int, login: UUID | None = a, client: str = "192.0.2.7") -> wire.RecipientQuestion:
        return wire.RecipientQuestion(f"u{n}@far.test", "", client, login)

    local = [wire.RecipientQuestion("b@site.com", "", "192.0.2.7", a)] * 20
    assert {answer.verdict for answer in await auth.gateway.recipients(local)} == {"accepted"}
    lists = await asyncio.gather(*(auth.gateway.recipients([question(n) for n in range(3)]) for _ in range(8)))
    verdicts = [answer.verdict for answers in lists for answer in answers]
    assert (verdicts.count("accepted"), verdicts.count("too_many")) == (10, 14)
    mixed = await auth.gateway.recipients(
        [question(1), question(2, b), question(3, None), question(4, client="198.51.100.1")]
    )
    assert [answer.verdict for answer in mixed] == ["too_many", "accepted", "not_relayed", "accepted"]
    auth.pass_time(3600)
    assert (await auth.rcpt("u@far.test", login=a)).verdict == "accepted"


@pytest.mark.parametrize("settings", [{"recipients_per_hour": 10}], indirect=True)
async def test_what_a_forward_leads_to_counts_for_whoever_has_an_account(auth):
    box = await auth.make("a@site.com")
    await auth.admin.add_forward("six@site.com", ["a@site.com", *(f"u{n}@far.test" for n in range(6))])
    first, second = [await auth.rcpt("six@site.com", login=box) for _ in range(2)]
    assert (first.verdict, first.account, len(first.targets)) == ("accepted", box, 7)
    assert (second.verdict, second.targets) == ("too_many", [])
    assert (await auth.rcpt("a@site.com", login=box)).verdict == "accepted"
    stranger = await auth.rcpt("six@site.com")
    assert (stranger.verdict, stranger.account, len(stranger.targets)) == ("accepted", None, 7)


@pytest.mark.parametrize("settings", [{"recipients_per_hour": 2}], indirect=True)
async def test_an_uncharged_question_sees_the_hour_and_adds_nothing_to_it(auth):
    box = await auth.make("a@site.com")

    async def simulated(address: str) -> str:
        question = wire.RecipientQuestion(address, "a@site.com", None, box)
        return str((await auth.gateway.uncharged_recipients([question]))[0].verdict)

    assert [await simulated("u@far.test") for _ in range(4)] == ["accepted"] * 4
    assert [(await auth.rcpt("u@far.test", login=box)).verdict for _ in range(3)] == [
        "accepted",
        "accepted",
        "too_many",
    ]
    assert await simulated("u@far.test") == "too_many"
    assert await simulated("a@site.com") == "accepted"


async def test_a_list_of_a_hundred_costs_a_constant_number_of_statements(auth):
    box = await auth.make("a@site.com")
    for n in range(50):
        await auth.admin.add_forward(f"f{n}@site.com", ["a@site.com", f"x{n}@far.test"])
    counted = []
    original = type(auth.pool).fetch

    async def fetch(self, query, *args, **kwargs):
        counted.append(query)
        return await original(self, query, *args, **kwargs)

    type(auth.pool).fetch = fetch
    try:
        questions = [wire.RecipientQuestion(f"f{n}@site.com", "", "192.0.2.7", box) for n in range(50)]
        questions += [wire.RecipientQuestion(f"u{n}@far.test", "", "192.0.2.7", box) for n in range(50)]
        answers = await auth.gateway.recipients(questions)
        first = len(counted)
        await auth.gateway.recipients(questions)
    finally:
        type(auth.pool).fetch = original
    assert {answer.verdict for answer in answers} == {"accepted"}
    assert (
        first == 7
    )  # the moves, two levels of addresses, the keys of senders, the rights, the account's domain, the cap
    assert len(counted) - first == 4  # neither the moves, nor the keys of senders, nor the domain again


async def test_targets_name_the_forward_that_leads_to_them(auth):
    """The last one of a chain: whatever comes back along it meets that address (docs/decisions/0038)."""
    a = await auth.make("a@site.com")
    await auth.make("z@other.org")
    await auth.admin.add_forward("one@site.com", ["two@site.com", "x@far.test"])
    await auth.admin.add_forward("two@site.com", ["a@site.com", "y@far.test"])
    await auth.admin.set_catchall("other.org", "forward", targets=["w@far.test"])

    async def via(address):
        return {target.address: target.via for target in (await auth.rcpt(address)).targets}

    assert await via("one@site.com") == {
        "a@site.com": "two@site.com",
        "y@far.test": "two@site.com",
        "x@far.test": "one@site.com",
    }
    assert await via("Any@other.org") == {"w@far.test": "Any@other.org"}
    assert await via("a@site.com") == {"a@site.com": ""}
    assert (await auth.rcpt("v@far.test", login=a)).targets == [wire.Target("v@far.test")]


@pytest.mark.parametrize("settings", [{"forwarded_per_hour": 10}], indirect=True)
async def test_what_forwards_make_of_strangers_mail_is_capped_per_domain_and_hour(auth):
    a = await auth.make("a@site.com")
    await auth.make("b@other.org")
    await auth.admin.add_forward("four@site.com", ["a@site.com", *(f"u{n}@far.test" for n in range(4))])
    await auth.admin.add_forward("one@site.com", ["x@far.test"])
    await auth.admin.add_forward("one@other.org", ["x@far.test"])

    async def said(*addresses, **more):
        return [answer.verdict for answer in [await auth.rcpt(address, **more) for address in addresses]]

    assert await said(*["four@site.com"] * 3) == ["accepted", "accepted", "too_many"]
    assert await said("one@site.com", "a@site.com", "one@other.org") == ["too_many", "accepted", "accepted"]
    assert await said("one@site.com", login=a) == ["accepted"]  # his own hour pays
    auth.pass_time(3600)
    assert await said("four@site.com", "one@site.com") == ["accepted", "accepted"]
