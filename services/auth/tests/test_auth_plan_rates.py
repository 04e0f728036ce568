"""Rates of messages and recipients by plan: sliding, exact over replicas (docs/decisions/0115)."""

import asyncio

import pytest

from auth.limits import Rates
from auth.login import domains as known_domains
from auth.storage.rates import ListUse, RateRows
from auth_api import wire
from mailkit.ids import new_id

SPANS = [("minute", 60, 5), ("hour", 3600, 300), ("day", 86_400, 3600)]
NONE = (None,) * 6


@pytest.fixture
async def limited(auth, monkeypatch):
    """`limited(field=…)` sets the plan of site.com's customer, in force at once; returns the id of a@site.com."""
    monkeypatch.setattr(known_domains, "KNOWN_SECONDS", 0.0)
    await auth.admin.add_plan("small", {})
    await auth.admin.add_customer("a", "small")
    box = await auth.make("a@site.com")
    await auth.admin.set_domain_customer("site.com", "a")

    async def set_limits(**limits):
        await auth.admin.set_plan("small", limits)
        return box

    return set_limits


async def relay(auth, box, *, first=True, count=1):
    """The verdicts on recipients elsewhere, of one list."""
    questions = [wire.RecipientQuestion(f"x{n}@far.test", "", None, box, first) for n in range(count)]
    answers = await auth.gateway.recipients(questions)
    assert all(answer.over == ("plan" if answer.verdict == "too_many" else "") for answer in answers)
    return [answer.verdict for answer in answers]


@pytest.mark.parametrize(("span", "seconds", "part"), SPANS)
@pytest.mark.parametrize("what", ["messages", "recipients"])
async def test_no_window_has_more_than_the_limit(auth, limited, what, span, seconds, part):
    box = await limited(**{f"{what}_per_{span}": 3})
    first = what == "messages"
    auth.pass_time(part - 1)  # near the end of a part of the window
    assert await relay(auth, box, first=first) == ["accepted"]
    auth.pass_time(seconds / 2)
    assert await relay(auth, box, first=first, count=2) == ["accepted"] * 2
    assert await relay(auth, box, first=first) == ["too_many"]
    auth.pass_time(seconds / 2 - 1)
    assert await relay(auth, box, first=first) == ["too_many"]
    auth.pass_time(part + 1)  # the first one has left the window, the two others have not
    assert await relay(auth, box, first=first) == ["accepted"]
    assert await relay(auth, box, first=first) == ["too_many"]
    auth.pass_time(seconds + part)
    assert await relay(auth, box, first=first, count=3) == ["accepted"] * 3


async def test_recipients_of_a_message_that_was_counted_are_no_further_messages(auth, limited):
    box = await limited(messages_per_minute=1, recipients_per_minute=3)
    assert await relay(auth, box) == ["accepted"]
    assert await relay(auth, box, first=False, count=2) == ["accepted"] * 2
    assert await relay(auth, box, first=False) == ["too_many"]


async def test_what_was_refused_is_not_counted(auth, limited):
    box = await limited(messages_per_minute=1, recipients_per_hour=10)
    assert await relay(auth, box) == ["accepted"]
    for _ in range(20):
        assert await relay(auth, box) == ["too_many"]
    auth.pass_time(65)
    assert await relay(auth, box) == ["accepted"]
    await limited(messages_per_minute=None)
    assert await relay(auth, box, count=9) == ["accepted"] * 8 + ["too_many"]


@pytest.mark.parametrize("settings", [{"recipients_per_hour": 5}], indirect=True)
async def test_the_setting_holds_where_the_plan_has_no_limit_for_an_hour(auth, limited):
    box = await limited(recipients_per_day=100)
    assert await relay(auth, box, first=False, count=6) == ["accepted"] * 5 + ["too_many"]
    await limited(recipients_per_hour=7)
    assert await relay(auth, box, first=False, count=3) == ["accepted"] * 2 + ["too_many"]


async def test_a_forward_of_ours_costs_its_addresses_elsewhere(auth, limited):
    box = await limited(recipients_per_minute=4)
    await auth.admin.add_forward("list@site.com", ["x@far.test", "y@far.test", "z@far.test"])
    assert (await auth.rcpt("list@site.com", login=box)).verdict == "accepted"
    assert (await auth.rcpt("list@site.com", login=box)).verdict == "too_many"


async def test_a_simulation_counts_nothing(auth, limited):
    box = await limited(recipients_per_minute=2)
    asked = [wire.RecipientQuestion("x@far.test", "", None, box, True)]
    for _ in range(5):
        assert [each.verdict for each in await auth.gateway.uncharged_recipients(asked)] == ["accepted"]
    assert await relay(auth, box, count=3) == ["accepted"] * 2 + ["too_many"]


async def test_two_replicas_count_exactly(auth):
    """40 lists of 5 at once, over two pools: 60 are accepted, none more."""
    box, other = new_id(), new_id()
    rows = [RateRows(auth.pool), RateRows(auth.questions)]

    async def ask(n):
        uses = {box: ListUse(Rates(*NONE[:3], 60, None, None), others=5), other: ListUse(Rates(7, *NONE[:5]), 1, 1)}
        left = await rows[n % 2].charge(uses, auth.clock.now())
        return min(5, max(0, left[box][1])), left[other][0] >= 1

    got = await asyncio.gather(*(ask(n) for n in range(40)))
    assert sum(recipients for recipients, _ in got) == 60
    assert sum(message for _, message in got) == 7


async def test_a_clock_that_was_set_back_gives_no_new_room(auth, limited):
    box = await limited(recipients_per_minute=2)
    assert await relay(auth, box, count=2) == ["accepted"] * 2
    auth.pass_time(-600)
    assert await relay(auth, box) == ["too_many"]


async def test_rows_of_two_days_ago_are_removed(auth, limited):
    box = await limited(recipients_per_day=2)
    await relay(auth, box)
    auth.pass_time(86_400)
    assert (await auth.parts.maintenance.run())["relay_rates"] == 0
    auth.pass_time(86_400 + 1)
    assert (await auth.parts.maintenance.run())["relay_rates"] == 1


async def test_a_list_costs_one_statement_for_rates(auth, limited, monkeypatch):
    box = await limited(recipients_per_day=1000, messages_per_hour=1000)
    monkeypatch.setattr(known_domains, "KNOWN_SECONDS", 2.0)
    await relay(auth, box)
    counted = []
    original = type(auth.pool).fetch

    async def fetch(self, query, *args, **kwargs):
        counted.append(query)
        return await original(self, query, *args, **kwargs)

    monkeypatch.setattr(type(auth.pool), "fetch", fetch)
    assert await relay(auth, box, count=50) == ["accepted"] * 50
    assert len(counted) == 2  # rights, rates: as many as without a plan
