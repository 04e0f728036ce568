"""The operators' API: domains (P5), mailboxes (P2), removal in three steps, aliases, and sentences that say what to do."""

import asyncio
from datetime import datetime

import httpx
import pytest

from auth_api.admin import AuthAdmin
from mailkit.errors import BadRequest, Conflict, Forbidden, NotFound
from mailkit.rpc.client import ServiceClient

MB = 1024**2


async def test_p5_a_domain_comes_with_its_postmaster_who_has_no_usable_password(auth):
    domain = await auth.admin.add_domain("Site.COM.")
    assert (domain["name"], domain["state"], domain["mailboxes"]) == ("site.com", "open", 1)
    assert domain["catchall"] == {"kind": "bounce", "mailbox": None, "targets": None}
    assert datetime.fromisoformat(domain["created_at"]).tzinfo
    postmaster = await auth.admin.mailbox("postmaster@site.com")
    assert (postmaster["id"], postmaster["has_password"]) == (domain["postmaster_id"], False)
    for password in ("", "postmaster", "None"):
        assert (await auth.login("postmaster@site.com", password)).outcome == "refused"
    await auth.admin.set_password("postmaster@site.com", "chosen")
    assert (await auth.login("postmaster%site.com", "chosen")).outcome == "ok"
    for refused in (auth.admin.delete_mailbox, auth.admin.disable_mailbox):
        with pytest.raises(Conflict, match="always exists and cannot be deleted"):
            await refused("Postmaster@Site.com")


async def test_a_domain_is_removed_when_only_postmaster_is_left(auth):
    await auth.make("a@site.com")
    await auth.admin.add_forward("f@site.com", ["x@far.test"])
    await auth.admin.set_catchall("site.com", "mailbox", mailbox="a@site.com")
    for refused in (auth.admin.close_domain, auth.admin.delete_domain):
        with pytest.raises(Conflict, match="still has 1 mailboxes"):
            await refused("site.com")
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    await auth.admin.delete_mailbox("a@site.com")
    closed = await auth.admin.close_domain("site.com")
    assert closed["state"] == "closing"
    assert (await auth.admin.close_domain("site.com"))["postmaster_id"] == closed["postmaster_id"]
    assert (await auth.rcpt("postmaster@site.com")).verdict == "no_mailbox"
    assert (await auth.rcpt("f@site.com")).verdict == "no_mailbox"
    with pytest.raises(NotFound):
        await auth.admin.add_mailbox("b@site.com", password="x")
    await auth.admin.delete_domain("site.com")
    assert await auth.admin.domains() == []
    assert await auth.admin.forwards() == []
    with pytest.raises(NotFound, match="domain ls"):
        await auth.admin.delete_domain("site.com")
    again = await auth.admin.add_domain("site.com")
    assert again["postmaster_id"] != closed["postmaster_id"]


@pytest.mark.parametrize(
    "name", ["", "a b.com", "-a.com", "x" * 64 + ".com", "[192.0.2.1]", "a@b.com", "a..b", "a\x00.com"]
)
async def test_what_is_no_domain_is_refused(auth, name):
    with pytest.raises(BadRequest):
        await auth.admin.add_domain(name)


async def test_p2_quota_between_25_mb_and_2_gb_only(auth):
    await auth.admin.add_domain("site.com")
    for refused in (24 * MB, 25 * MB - 1, 2048 * MB + 1, 0, -1):
        with pytest.raises(BadRequest, match="25 MB to 2 GB"):
            await auth.admin.add_mailbox("a@site.com", password="x", quota_limit=refused)
    assert (await auth.admin.add_mailbox("a@site.com", password="x", quota_limit=25 * MB))["quota_limit"] == 25 * MB
    assert (await auth.admin.set_quota("a@site.com", 2048 * MB))["limit_version"] == 2
    with pytest.raises(BadRequest):
        await auth.admin.set_quota("a@site.com", 24 * MB)
    assert (await auth.admin.mailbox("a@site.com"))["quota_limit"] == 2048 * MB


async def test_a_mailbox_record_and_its_refusals(auth):
    await auth.admin.add_domain("site.com")
    record = await auth.admin.add_mailbox("Jo.Doe@Site.com", password="x")
    assert set(record) == {
        "id",
        "address",
        "domain",
        "state",
        "has_password",
        "main_password",
        "quota_limit",
        "limit_version",
        "credential_version",
        "last_pop3_login",
        "created_at",
    }
    assert (record["address"], record["domain"], record["state"]) == ("jo.doe@site.com", "site.com", "enabled")
    assert [item["address"] for item in await auth.admin.mailboxes("site.com")] == [
        "jo.doe@site.com",
        "postmaster@site.com",
    ]
    with pytest.raises(Conflict, match="exists already"):
        await auth.admin.add_mailbox("JO.DOE@site.com", password="x")
    with pytest.raises(NotFound, match="add it first"):
        await auth.admin.add_mailbox("a@nowhere.test", password="x")
    for password in ("", "a\nb", "x" * 1025):
        with pytest.raises(BadRequest, match="password"):
            await auth.admin.add_mailbox("a@site.com", password=password)
    with pytest.raises(BadRequest, match="password_hash"):
        await auth.admin.add_mailbox("a@site.com", password_hash="plain")
    with pytest.raises(NotFound):
        await auth.admin.mailboxes("nowhere.test")
    for missing in (
        auth.admin.mailbox,
        auth.admin.delete_mailbox,
        auth.admin.disable_mailbox,
        auth.admin.enable_mailbox,
    ):
        with pytest.raises(NotFound, match="mailbox ls site.com"):
            await missing("nobody@site.com")
    with pytest.raises(NotFound):
        await auth.admin.set_password("nobody@site.com", "x")


@pytest.mark.parametrize("local", ["a%b", "a!b", '"a b"', "a/b", "a b", "", ".a", "a..b", "x" * 65, "a@b", "ü"])
async def test_names_that_look_like_routes_are_not_made(auth, local):
    await auth.admin.add_domain("site.com")
    with pytest.raises(BadRequest):
        await auth.admin.add_mailbox(f"{local}@site.com", password="x")
    with pytest.raises(BadRequest):
        await auth.admin.add_forward(f"{local}@site.com", ["x@far.test"])


async def test_removal_takes_three_steps_and_each_may_be_repeated(auth):
    old = await auth.make("a@site.com")
    with pytest.raises(Conflict, match="mailbox rm"):
        await auth.admin.delete_mailbox("a@site.com")
    for _ in range(2):
        assert (await auth.admin.disable_mailbox("a@site.com", removal=True))["state"] == "purging"
    assert (await auth.admin.disable_mailbox("a@site.com"))["state"] == "purging"
    with pytest.raises(Conflict, match="being removed"):
        await auth.admin.enable_mailbox("a@site.com")
    with pytest.raises(NotFound):
        await auth.admin.set_password("a@site.com", "x")
    with pytest.raises(Conflict, match="exists already"):
        await auth.admin.add_mailbox("a@site.com", password="x")
    await auth.admin.delete_mailbox("a@site.com")
    assert await auth.make("a@site.com") != old


async def test_a_mailbox_cannot_slip_into_a_domain_that_is_removed(auth):
    for n in range(10):
        await auth.admin.add_domain(f"d{n}.com")
        made, removed = await asyncio.gather(
            auth.admin.add_mailbox(f"a@d{n}.com", password="x"),
            auth.admin.delete_domain(f"d{n}.com"),
            return_exceptions=True,
        )
        assert isinstance(made, NotFound) != isinstance(removed, Conflict)


async def test_forwards(auth):
    await auth.make("a@site.com")
    record = await auth.admin.add_forward("F@Site.com", ["X@Far.test", "a@site.com", "X@far.test."], keep_copy=False)
    assert (record["address"], record["targets"]) == ("f@site.com", ["X@far.test", "a@site.com"])
    assert await auth.admin.forwards("site.com") == [record]
    assert await auth.admin.forwards("other.org") == []
    with pytest.raises(Conflict, match="forwards already"):
        await auth.admin.add_forward("f@site.com", ["y@far.test"])
    with pytest.raises(NotFound, match="no domain"):
        await auth.admin.add_forward("f@nowhere.test", ["y@far.test"])
    with pytest.raises(NotFound, match="no mailbox"):
        await auth.admin.add_forward("g@site.com", ["y@far.test"], keep_copy=True)
    for targets in ([], ["not an address"], [f"u{n}@far.test" for n in range(101)]):
        with pytest.raises(BadRequest):
            await auth.admin.add_forward("g@site.com", targets)
    await auth.admin.delete_forward("F@SITE.com")
    with pytest.raises(NotFound, match="forward ls"):
        await auth.admin.delete_forward("f@site.com")


async def test_a_forward_is_set_in_one_step(auth):
    await auth.make("a@site.com")
    first = await auth.admin.set_forward("F@Site.com", ["x@far.test"])
    assert (first["address"], first["targets"], first["keep_copy"]) == ("f@site.com", ["x@far.test"], False)
    again = await auth.admin.set_forward("f@site.com", ["y@far.test", "Z@far.test"])
    assert again == first | {"targets": ["y@far.test", "Z@far.test"]}, "its id and age stay"
    assert await auth.admin.set_forward("a@site.com", ["x@far.test"], keep_copy=True)
    assert [row["address"] for row in await auth.admin.forwards("site.com")] == ["a@site.com", "f@site.com"]
    with pytest.raises(NotFound, match="no domain"):
        await auth.admin.set_forward("f@nowhere.test", ["y@far.test"])
    with pytest.raises(NotFound, match="no mailbox"):
        await auth.admin.set_forward("f@site.com", ["y@far.test"], keep_copy=True)
    for targets in ([], ["not an address"], [f"u{n}@far.test" for n in range(101)]):
        with pytest.raises(BadRequest):
            await auth.admin.set_forward("f@site.com", targets)
    assert (await auth.admin.forwards("site.com"))[1] == again


async def test_tags_of_a_domain(auth):
    await auth.admin.add_domain("site.com")
    assert not (await auth.admin.domain("site.com"))["tags"]
    assert (await auth.admin.set_tags("Site.com.", True))["tags"]
    assert (await auth.admin.domains())[0]["tags"]
    with pytest.raises(NotFound, match="no domain"):
        await auth.admin.set_tags("nowhere.test", True)


async def test_catch_all_refusals(auth):
    await auth.admin.add_domain("site.com")
    with pytest.raises(NotFound):
        await auth.admin.set_catchall("site.com", "mailbox", mailbox="nobody@site.com")
    with pytest.raises(NotFound):
        await auth.admin.set_catchall("nowhere.test", "bounce")
    for kind, given in [("mailbox", {}), ("forward", {}), ("forward", {"targets": []}), ("other", {})]:
        with pytest.raises(BadRequest):
            await auth.admin.set_catchall("site.com", kind, **given)
    set_to = await auth.admin.set_catchall("site.com", "forward", targets=["x@far.test"])
    assert set_to["catchall"] == {"kind": "forward", "mailbox": None, "targets": ["x@far.test"]}


async def test_badmailfrom_list(auth):
    record = await auth.admin.add_badmailfrom("@Bad.test.")
    assert record["entry"] == "@bad.test"
    with pytest.raises(Conflict):
        await auth.admin.add_badmailfrom("@bad.test")
    for entry in ("", "@", "bad.test", "a b@c", "@a b"):
        with pytest.raises(BadRequest):
            await auth.admin.add_badmailfrom(entry)
    assert await auth.admin.badmailfrom() == [record]
    await auth.admin.delete_badmailfrom("@BAD.test")
    with pytest.raises(NotFound, match="badmailfrom ls"):
        await auth.admin.delete_badmailfrom("@bad.test")


async def test_revoking_needs_a_name_and_says_when_there_is_nothing(auth):
    with pytest.raises(BadRequest, match="whose grants"):
        await auth.admin.revoke_grants()
    with pytest.raises(NotFound, match="grant ls"):
        await auth.admin.revoke_grants(address="192.0.2.7")
    with pytest.raises(BadRequest):
        await auth.admin.revoke_grants(address="not an address")


async def test_every_endpoint_asks_for_its_token(auth):
    async with httpx.AsyncClient(base_url=auth.url) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic Z2F0ZXdheS10b2tlbg=="}):
            assert (await client.get("/v1/domains", headers=headers)).status_code == 401
            reply = await client.post("/v1/logins", headers=headers)
            assert (reply.status_code, reply.headers["content-type"]) == (401, "application/problem+json")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json() == {"ready": True, "problems": {}}
        assert "postrider_auth_logins_total" in (await client.get("/metrics")).text
        assert (await client.get("/docs")).status_code == 200
    for token in ("gateway-token", "frontend-token"):
        other = AuthAdmin(auth.url, token)
        with pytest.raises(Forbidden):
            await other.domains()
        await other.aclose()
    with pytest.raises(Forbidden):
        await auth.frontend.recipients([])
    with pytest.raises(Forbidden):
        await auth.frontend.senders([])


async def test_a_wrong_body_is_a_problem_document_without_the_password_in_it(auth):
    async with httpx.AsyncClient(base_url=auth.url, headers={"authorization": "Bearer admin-token"}) as client:
        reply = await client.post("/v1/mailboxes", json={"password": "hunter2secret", "adress": "a@site.com"})
        assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
        assert "hunter2secret" not in reply.text
        reply = await client.get("/v1/mailboxes/nobody@site.com")
        assert set(reply.json()) == {"type", "title", "status", "detail"}
    raw = ServiceClient(auth.url, "gateway-token")
    with pytest.raises(BadRequest):
        await raw.send("POST", "/v1/logins", b"\xc1junk", {})
    await raw.aclose()


async def test_no_metric_has_an_address_in_a_label(auth):
    await auth.make("a@unusual-name.com")
    await auth.login("a@unusual-name.com")
    await auth.rcpt("a@unusual-name.com")
    async with httpx.AsyncClient(base_url=auth.url) as client:
        text = (await client.get("/metrics")).text
    assert "unusual-name" not in text
    assert "192.0.2.7" not in text
