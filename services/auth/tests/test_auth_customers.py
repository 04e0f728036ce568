"""Customers, their domains and plans (docs/decisions/0114)."""

import asyncio

import pytest

from auth.limits import PlanLimits
from mailkit.errors import BadRequest, Conflict, NotFound

DOMAINS = 2000


async def test_a_customer_has_domains_and_a_plan(auth):
    plan = await auth.admin.add_plan("small", {"mailboxes": 5, "pop3": False})
    assert (plan["limits"]["mailboxes"], plan["limits"]["pop3"], plan["limits"]["imap"]) == (5, False, True)
    made = await auth.admin.add_customer("Müller & Söhne", "small")
    assert (made["plan"], made["domains"]) == ("small", 0)
    domain = await auth.admin.add_domain("site.com", customer="Müller & Söhne")
    assert domain["customer"] == "Müller & Söhne"
    assert (await auth.admin.add_domain("alias.com", "site.com"))["customer"] == "Müller & Söhne"
    assert (await auth.admin.add_domain("own.com"))["customer"] is None
    assert (await auth.admin.set_domain_customer("Own.com.", "Müller & Söhne"))["customer"] == "Müller & Söhne"
    assert (await auth.admin.customer("Müller & Söhne"))["domains"] == 3
    assert [each["name"] for each in await auth.admin.customer_domains("Müller & Söhne")] == [
        "alias.com",
        "own.com",
        "site.com",
    ]
    assert (await auth.admin.plan("small"))["customers"] == 1
    with pytest.raises(Conflict, match="domains belong to"):
        await auth.admin.delete_customer("Müller & Söhne")
    with pytest.raises(Conflict, match="customers have small still"):
        await auth.admin.delete_plan("small")
    for name in ("alias.com", "own.com", "site.com"):
        assert (await auth.admin.set_domain_customer(name, None))["customer"] is None
    assert (await auth.admin.set_customer("Müller & Söhne", None))["plan"] is None
    await auth.admin.delete_customer("Müller & Söhne")
    await auth.admin.delete_plan("small")
    assert await auth.admin.customers() == await auth.admin.plans() == []


async def test_only_the_given_fields_of_a_plan_change(auth):
    await auth.admin.add_plan("small", {"mailboxes": 5, "forwards": 7, "pop3": False})
    changed = await auth.admin.set_plan("small", {"mailboxes": None, "forwards": 0, "login_delay": 300})
    limits = changed["limits"]
    assert (limits["mailboxes"], limits["forwards"], limits["login_delay"], limits["pop3"]) == (None, 0, 300, False)
    await asyncio.gather(*(auth.admin.set_plan("small", {name: 3}) for name in ("groups", "lists", "messages")))
    limits = (await auth.admin.plan("small"))["limits"]
    assert [limits[name] for name in ("groups", "lists", "messages", "forwards")] == [3, 3, 3, 0]


async def test_what_no_customer_and_no_plan_can_be(auth):
    for name in ("", " ", "x" * 101, "a/b", "..", "a\x00b", "a\nb", "-x"):
        with pytest.raises(BadRequest):
            await auth.admin.add_customer(name)
        with pytest.raises(BadRequest):
            await auth.admin.add_plan(name, {})
    for limits in ({"mailboxes": -1}, {"mailboxes": "x"}, {"nothing": 1}, {"pop3": None}, {"quota": 10**16}):
        with pytest.raises(BadRequest):
            await auth.admin.add_plan("small", limits)
    with pytest.raises(NotFound, match="no plan small"):
        await auth.admin.add_customer("a", "small")
    await auth.admin.add_customer("a")
    await auth.admin.add_plan("small", {})
    with pytest.raises(Conflict):
        await auth.admin.add_customer("a")
    with pytest.raises(Conflict):
        await auth.admin.add_plan("small", {})
    for wrong in (
        auth.admin.add_domain("site.com", customer="b"),
        auth.admin.set_domain_customer("nowhere.test", "a"),
        auth.admin.set_domain_customer("nowhere.test", None),
        auth.admin.set_customer("a", "large"),
        auth.admin.set_customer("b", "small"),
        auth.admin.set_plan("large", {}),
        auth.admin.customer_domains("b"),
        auth.admin.delete_customer("b"),
        auth.admin.delete_plan("large"),
    ):
        with pytest.raises(NotFound):
            await wrong
    assert [each["name"] for each in await auth.admin.customers()] == ["a"]
    assert await auth.admin.domains() == []


async def test_a_field_of_a_newer_release_is_not_read(auth):
    await auth.admin.add_plan("small", {"mailboxes": 5})
    await auth.pool.execute("""update auth.plans set limits = limits || '{"of_tomorrow": [1]}'""")
    assert "of_tomorrow" not in (await auth.admin.plan("small"))["limits"]
    assert (await auth.admin.set_plan("small", {"forwards": 1}))["limits"]["mailboxes"] == 5
    assert "of_tomorrow" in await auth.pool.fetchval("select limits::text from auth.plans")


async def test_changes_are_events(auth):
    await auth.admin.add_plan("small", {"mailboxes": 5})
    await auth.admin.add_customer("a", "small")
    await auth.admin.add_domain("site.com")
    await auth.admin.set_domain_customer("site.com", "a")
    kinds = [row["kind"] for row in await auth.pool.fetch("select kind from auth.event order by id")]
    assert kinds == ["plan_added", "customer_added", "domain_added", "domain_customer_set"]


async def test_a_customer_with_two_thousand_domains_is_listed_in_pages(auth):
    await auth.admin.add_customer("a")
    await auth.pool.execute(
        "insert into auth.domains (id, name, created_at, customer_id) "
        "select gen_random_uuid(), 'd' || n || '.test', now(), (select id from auth.customers) from generate_series(1, $1) n",
        DOMAINS,
    )
    await auth.admin.add_domain("other.test")
    assert (await auth.admin.customer("a"))["domains"] == DOMAINS
    assert len(await auth.admin.json("GET", "/v1/customers/a/domains")) == 1000
    found = await auth.admin.customer_domains("a")
    assert len({each["name"] for each in found}) == len(found) == DOMAINS


def test_every_field_says_what_it_limits():
    assert all(field.description for field in PlanLimits.model_fields.values())
