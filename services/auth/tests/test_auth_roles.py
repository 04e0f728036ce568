"""Tokens and roles: made once, hashed, scoped, expiring, rotated, revoked; every endpoint has a caller and a level."""

import hashlib
from datetime import timedelta

import httpx
import pytest

from auth.handlers.roles import MAY
from auth.service import web
from mailkit.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorised
from mailkit.process.lifecycle import Lifecycle

from .roles import admin, asks, side


async def test_every_operation_has_a_level_and_a_caller(auth, settings):
    """A new endpoint fails here until a line of MAY says who may use it; without the dependency it would have no caller."""
    document = web(settings, Lifecycle(), auth.parts).openapi()
    found = {each["operationId"]: each for path in document["paths"].values() for each in path.values()}
    assert set(found) == set(MAY)
    async with httpx.AsyncClient(base_url=auth.url, headers={"authorization": "Bearer admin-token"}) as client:
        reader = (await auth.admin.add_token("reads", "read-only"))["token"]
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if method != "get":  # the caller is looked at before the rules: a reader is refused everywhere
                    at = path.replace("{token_id}", "0" * 32).replace("{grant_id}", "0" * 32)
                    answer = await client.request(method, at, headers={"authorization": f"Bearer {reader}"}, json={})
                    assert answer.status_code == 403, (operation["operationId"], answer.text)


async def test_a_token_is_shown_once_and_kept_as_a_hash(auth):
    made = await auth.admin.add_token("ticket desk", "operator")
    text = made["token"]
    assert text.startswith("pt_") and len(text) == 46
    assert "token" not in (await auth.admin.tokens())[0]
    stored = await auth.pool.fetchval("select hash from auth.token_secrets")
    assert stored == hashlib.sha256(text.encode()).digest()
    everything = str(await auth.pool.fetch("select t.*, s.* from auth.tokens t, auth.token_secrets s"))
    assert text not in everything and text[3:] not in everything
    caller = await admin(auth, text).caller()
    assert (caller["role"], caller["name"], caller["token_id"]) == ("operator", "ticket desk", made["id"])
    assert (await auth.admin.caller())["token_id"] is None


@pytest.mark.parametrize("wrong", ["pt_" + "A" * 43, "pt_", "x"])
async def test_a_token_that_is_none_is_refused_before_the_body(auth, wrong):
    answer = await asks(auth.url, wrong, "POST", "/v1/domains", {"name": "x.test"})
    assert answer.status_code == 401 and answer.json()["type"] == "urn:postrider:unauthorised"


async def test_a_token_ends_and_makes_none_that_ends_later(auth):
    end = auth.clock.now() + timedelta(hours=1)
    desk = admin(auth, (await auth.admin.add_token("desk", "operator", expires_at=end))["token"])
    for later in (None, end + timedelta(seconds=1)):
        with pytest.raises(Forbidden, match="ends when the one that makes it does"):
            await desk.add_token("longer", "operator", expires_at=later)
    await desk.add_token("as long", "read-only", expires_at=end)
    with pytest.raises(BadRequest, match="in the past"):
        await auth.admin.add_token("over", "operator", expires_at=auth.clock.now())
    auth.pass_time(3599)
    await desk.domains()
    auth.pass_time(1)
    with pytest.raises(Unauthorised):
        await desk.domains()


async def test_a_rotated_token_is_accepted_for_the_chosen_time(auth):
    made = await auth.admin.add_token("desk", "operator")
    first = admin(auth, made["token"])
    rotated = await first.rotate_token(made["id"], 600)  # by itself
    second = admin(auth, rotated["token"])
    assert rotated["id"] == made["id"] and rotated["token"] != made["token"] and rotated["old_until"]
    await first.domains()
    await second.domains()
    auth.pass_time(601)
    with pytest.raises(Unauthorised):
        await first.domains()
    third = admin(auth, (await second.rotate_token(made["id"], 0))["token"])
    with pytest.raises(Unauthorised):
        await second.domains()
    await third.rotate_token(made["id"], 600)
    fourth = admin(auth, (await third.rotate_token(made["id"], 600))["token"])
    assert await auth.pool.fetchval("select count(*) from auth.token_secrets") == 2, "one old text at most"
    await auth.admin.revoke_token(made["id"])
    for each in (third, fourth):
        with pytest.raises(Unauthorised):
            await each.domains()
    for again in (auth.admin.revoke_token(made["id"]), auth.admin.rotate_token(made["id"], 0)):
        with pytest.raises(NotFound):
            await again


async def test_what_a_token_is_confined_to_has_to_be_there(auth):
    for wrong in (
        {"role": "domain"},
        {"role": "customer"},
        {"role": "operator", "domain": "site.com"},
        {"role": "customer", "domain": "site.com"},
        {"role": "reader"},
    ):
        with pytest.raises(BadRequest):
            await auth.admin.add_token("t", wrong.pop("role"), **wrong)
    for unknown in ({"domain": "site.com"}, {"customer": "Nobody"}):
        with pytest.raises(NotFound):
            await auth.admin.add_token("t", "read-only", **unknown)
    await auth.admin.add_domain("site.com")
    await auth.admin.add_customer("A Inc")
    with pytest.raises(Conflict, match="does not belong"):
        await auth.admin.add_token("t", "domain", domain="site.com", customer="A Inc")
    token = admin(auth, (await auth.admin.add_token("t", "domain", domain="Site.COM"))["token"])
    assert [row["name"] for row in await token.domains()] == ["site.com"]
    await auth.admin.close_domain("site.com")
    await auth.admin.delete_domain("site.com")
    with pytest.raises(Unauthorised):
        await token.domains()


async def test_a_customers_token_for_a_domain_ends_with_the_ownership(auth):
    for name in ("A Inc", "B Inc"):
        await auth.admin.add_customer(name)
    await auth.admin.add_domain("site.com", customer="A Inc")
    customer = admin(auth, (await auth.admin.add_token("a", "customer", customer="A Inc"))["token"])
    made = await customer.add_token("webmaster", "domain", domain="site.com")
    webmaster = admin(auth, made["token"])
    assert (await webmaster.domain("site.com"))["customer"] == "A Inc"
    with pytest.raises(Forbidden):
        await webmaster.customer("A Inc")
    assert [row["id"] for row in await customer.tokens() if row["role"] == "domain"] == [made["id"]]
    await auth.admin.set_domain_customer("site.com", "B Inc")
    with pytest.raises(Unauthorised):
        await webmaster.domain("site.com")
    assert await customer.domains() == []


async def test_a_customer_and_an_administrator_do_their_work(auth):
    acme = await side(auth, "acme", "192.0.2.1")
    for token in (
        await auth.admin.add_token("c", "customer", customer="acme Inc"),
        await auth.admin.add_token("d", "domain", domain=acme.domain),
    ):
        own = admin(auth, token["token"])
        made = await own.add_mailbox(f"new@{acme.domain}", password="another one")
        assert (await auth.login(f"new@{acme.domain}", "another one", client="192.0.2.9")).outcome == "ok"
        await own.set_password(f"new@{acme.domain}", "changed one")
        await own.set_quota(f"new@{acme.domain}", 30 << 20)
        assert [row["mailbox"] for row in await own.grants(mailbox=f"box@{acme.domain}")] == [f"box@{acme.domain}"]
        await own.set_forward(f"f@{acme.domain}", ["x@far.test"])
        assert {row["address"] for row in await own.forwards(acme.domain)} == {
            f"f@{acme.domain}",
            f"forward@{acme.domain}",
        }
        await own.delete_forward(f"f@{acme.domain}")
        await own.set_tags(acme.domain, True)
        await own.set_catchall(acme.domain, "bounce")
        assert len(await own.dkim_keys(acme.domain)) == 2
        await own.check_dkim_keys(acme.domain)
        events = [each["event"] async for page in own.trace(address=f"new@{acme.domain}") for each in page]
        assert {"mailbox_added", "password_changed", "quota_changed"} <= set(events)
        await auth.admin.disable_mailbox(f"new@{acme.domain}", removal=True)
        await own.delete_mailbox(f"new@{acme.domain}")
        assert made["domain"] == acme.domain
        with pytest.raises(Forbidden, match="needs an operator's token"):
            await own.add_domain("other.test")


async def test_a_plan_holds_for_whoever_adds(auth):
    await auth.admin.add_plan("small", {"mailboxes": 2})
    await auth.admin.add_customer("A Inc", plan="small")
    await auth.admin.add_domain("site.com", customer="A Inc")
    for given in ({"role": "customer", "customer": "A Inc"}, {"role": "domain", "domain": "site.com"}):
        own = admin(auth, (await auth.admin.add_token("t", **given))["token"])
        if given["role"] == "customer":
            await own.add_mailbox("a@site.com")
        with pytest.raises(Conflict, match="mailboxes"):
            await own.add_mailbox("b@site.com")


async def test_sentences_say_what_the_role_lacks(auth):
    await auth.admin.add_domain("site.com")
    reader = admin(auth, (await auth.admin.add_token("r", "read-only"))["token"])
    webmaster = admin(auth, (await auth.admin.add_token("d", "domain", domain="site.com"))["token"])
    with pytest.raises(Forbidden, match="this token only reads"):
        await reader.set_tags("site.com", True)
    assert [row["name"] for row in await reader.domains()] == ["site.com"]
    with pytest.raises(
        Forbidden, match=r"badmailfrom needs an operator's token; this one is that of the administrator of site\.com"
    ):
        await webmaster.badmailfrom()
    with pytest.raises(Forbidden, match="needs a customer's or an operator's token"):
        await webmaster.close_domain("site.com")
    with pytest.raises(BadRequest, match="say of which mailbox"):
        await webmaster.grants()
