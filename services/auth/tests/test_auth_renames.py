"""Rename of a mailbox: what names it follows, its id and what hangs on that stay, postmaster is never renamed."""

import asyncio

import pytest

from auth.login import domains as known_domains
from auth_api import wire
from mailkit.errors import BadRequest, Conflict, NotFound


async def test_everything_follows_the_new_name(auth):
    await auth.make("anna@site.com")
    before = await auth.admin.mailbox("anna@site.com")
    await auth.admin.add_domain("other.org")
    await auth.admin.add_forward("anna@site.com", ["x@far.test"], keep_copy=True)
    await auth.admin.add_forward("list@other.org", ["anna@site.com", "b@far.test"])
    await auth.admin.set_catchall("other.org", "forward", targets=["anna@site.com"])
    after = await auth.admin.rename_mailbox("Anna@site.com", "Maria@Site.com")
    changed = {"address": "maria@site.com"}
    assert after == before | changed and after["credential_version"] == before["credential_version"]
    forwards = {row["address"]: row["targets"] for row in await auth.admin.forwards()}
    assert forwards == {
        "anna@site.com": ["maria@site.com"],
        "maria@site.com": ["x@far.test"],
        "list@other.org": ["maria@site.com", "b@far.test"],
    }
    assert (await auth.admin.domain("other.org"))["catchall"]["targets"] == ["maria@site.com"]
    with pytest.raises(NotFound):
        await auth.admin.mailbox("anna@site.com")
    assert (await auth.login("maria@site.com")).outcome == "ok"
    assert (await auth.login("anna@site.com")).outcome != "ok"
    events = [row async for page in auth.admin.trace(address="anna@site.com") for row in page]
    assert ("mailbox_renamed", "to maria@site.com") in [(row["event"], row["detail"]) for row in events]


async def test_a_name_can_be_given_up_and_a_domain_changed(auth):
    mailbox_id = await auth.make("anna@site.com")
    await auth.admin.add_domain("other.org")
    after = await auth.admin.rename_mailbox("anna@site.com", "anna@other.org", keep_old=False)
    assert (after["id"], after["domain"]) == (str(mailbox_id), "other.org")
    assert await auth.admin.forwards() == []
    assert await auth.make("anna@site.com") != mailbox_id


async def test_what_may_not_be(auth):
    await auth.make("anna@site.com")
    await auth.make("bob@site.com")
    await auth.admin.add_forward("fwd@site.com", ["x@far.test"])
    await auth.admin.add_domain("alias.org", alias_of="site.com")
    for old, new, error in (
        ("anna@site.com", "bob@site.com", Conflict),
        ("anna@site.com", "fwd@site.com", Conflict),
        ("anna@site.com", "anna@site.com", Conflict),
        ("anna@site.com", "postmaster@site.com", Conflict),
        ("postmaster@site.com", "chief@site.com", Conflict),
        ("anna@site.com", "anna@nowhere.test", NotFound),
        ("anna@site.com", "anna@alias.org", NotFound),
        ("nobody@site.com", "new@site.com", NotFound),
        ("anna@site.com", "no address", BadRequest),
        ("anna@site.com", "a\0b@site.com", BadRequest),
    ):
        with pytest.raises(error):
            await auth.admin.rename_mailbox(old, new)
    assert [row["address"] for row in await auth.admin.mailboxes("site.com")] == [
        "anna@site.com",
        "bob@site.com",
        "postmaster@site.com",
    ]
    assert len(await auth.admin.forwards()) == 1


async def test_of_two_renames_to_one_name_one_is_done(auth):
    for name in ("a", "b", "c"):
        await auth.make(f"{name}@site.com")
    done = await asyncio.gather(
        *(auth.admin.rename_mailbox(f"{name}@site.com", "new@site.com") for name in ("a", "b", "c")),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, Conflict) for each in done) == [False, True, True]
    assert len(await auth.admin.forwards()) == 1


async def test_the_plan_of_the_new_domain_holds(auth):
    await auth.admin.add_plan("small", {"mailboxes": 2})
    await auth.admin.add_customer("acme", "small")
    for name in ("site.com", "other.org"):
        await auth.admin.add_domain(name, customer="acme")
        await auth.admin.add_mailbox(f"a@{name}")
    with pytest.raises(Conflict, match="mailboxes"):
        await auth.admin.rename_mailbox("a@site.com", "b@other.org")
    assert (await auth.admin.rename_mailbox("a@site.com", "b@site.com"))["address"] == "b@site.com"
    await auth.admin.add_domain("free.org")
    with pytest.raises(Conflict, match="another customer"):
        await auth.admin.rename_mailbox("b@site.com", "b@free.org")


async def test_forwards_count_in_the_plan_of_the_new_domain(auth):
    await auth.admin.add_plan("small", {"forwards": 1})
    await auth.admin.add_customer("acme", "small")
    for name in ("site.com", "other.org"):
        await auth.admin.add_domain(name, customer="acme")
    await auth.admin.add_mailbox("a@site.com")
    await auth.admin.add_forward("f@other.org", ["x@far.test"])
    await auth.admin.add_forward("a@site.com", ["x@far.test"], keep_copy=True)
    with pytest.raises(Conflict, match="forwards"):
        await auth.admin.rename_mailbox("a@site.com", "a@other.org")
    await auth.admin.delete_forward("f@other.org")
    await auth.admin.rename_mailbox("a@site.com", "a@other.org")
    forwards = {row["address"]: row["targets"] for row in await auth.admin.forwards()}
    assert forwards == {"a@other.org": ["x@far.test"], "a@site.com": ["a@other.org"]}


async def test_logins_sessions_grants_and_rates_follow(auth, monkeypatch):
    monkeypatch.setattr(known_domains, "KNOWN_SECONDS", 0.0)
    await auth.admin.add_plan("small", {"recipients_per_hour": 1})
    await auth.admin.add_customer("acme", "small")
    for name in ("site.com", "other.org"):
        await auth.admin.add_domain(name, customer="acme")
    box = await auth.make("anna@site.com")
    phone = (await auth.admin.make_app_password("anna@site.com", "phone"))["password"]
    opened = await auth.login("anna@site.com")
    assert (await auth.rcpt("x@far.test", login=box)).verdict == "accepted"
    await auth.admin.rename_mailbox("anna@site.com", "maria@other.org", keep_old=False)
    question = wire.SessionQuestion(opened.mailbox_id, opened.credential_version, opened.proof)
    assert (await auth.frontend.sessions([question]))[0]
    before = auth.hasher.computed
    for password in ("correct horse", phone):
        answer = await auth.login("maria@other.org", password)
        assert (answer.outcome, answer.mailbox_id, answer.address) == ("ok", box, "maria@other.org")
    assert auth.hasher.computed == before, "the password is remembered"
    assert [record["name"] for record in await auth.admin.app_passwords("maria@other.org")] == ["phone"]
    right = (await auth.mail("maria@other.org")).relay
    assert right is not None and (right.mailbox_id, right.address) == (box, "maria@other.org")
    assert await auth.pool.fetchval("select array_agg(domain) from auth.grants") == ["other.org"]
    assert (await auth.rcpt("x@far.test", login=box)).verdict == "too_many"
    counted = [(await auth.admin.domain(name))["mailboxes"] for name in ("site.com", "other.org")]
    assert counted == [1, 2], "each has its postmaster"


@pytest.mark.parametrize("settings", [{"scram": "learn", "scram_iterations": 4096}], indirect=True)
async def test_the_next_password_login_makes_the_verifier_of_the_new_name(auth):
    await auth.make("anna@site.com")
    salt = "select salt from auth.scram_verifiers"
    before = await auth.pool.fetchval(salt)
    await auth.admin.rename_mailbox("anna@site.com", "maria@site.com")
    (offer,) = await auth.frontend.scram_offers([wire.ScramQuestion("maria@site.com", "nonce")])
    assert offer.salt != before
    assert (await auth.login("maria@site.com")).outcome == "ok"
    assert await auth.pool.fetchval(salt) == offer.salt


async def test_nothing_is_renamed_while_a_domain_moves_in(auth):
    await auth.make("anna@site.com")
    await auth.admin.add_domain("other.org")
    for name in ("site.com", "other.org"):
        await auth.admin.start_move(name, imap={"host": "old.test", "port": 993}, pop3=None, networks=[])
        for new in ("maria@site.com", "anna@other.org")[name == "other.org" :]:
            with pytest.raises(Conflict, match=f"{name} moves"):
                await auth.admin.rename_mailbox("anna@site.com", new)
        await auth.admin.switch_move(name)
        with pytest.raises(Conflict, match=f"{name} moves"):
            await auth.admin.rename_mailbox("anna@site.com", "anna@other.org")
        await auth.admin.end_move(name)
    assert (await auth.admin.rename_mailbox("anna@site.com", "anna@other.org"))["domain"] == "other.org"


async def test_the_audit_has_both_names_and_all_that_followed(auth):
    await auth.make("anna@site.com")
    await auth.login("anna@site.com")
    await auth.admin.add_domain("other.org")
    await auth.admin.add_forward("list@other.org", ["anna@site.com"])
    await auth.admin.set_catchall("other.org", "forward", targets=["anna@site.com"])
    await auth.admin.rename_mailbox("anna@site.com", "maria@other.org")
    found = [entry async for page in auth.admin.audit() for entry in page if entry["action"] == "rename_mailbox"]
    assert {(entry["change"], entry["kind"], entry["object"]) for entry in found} == {
        ("update", "mailboxes", "maria@other.org"),
        ("update", "grants", "maria@other.org"),
        ("update", "forwards", "list@other.org"),
        ("update", "domains", "other.org"),
        ("insert", "forwards", "anna@site.com"),
    }
    (mailbox,) = [entry for entry in found if entry["kind"] == "mailboxes"]
    assert mailbox["before"] == {"address": "anna@site.com", "domain": "site.com"}
    assert mailbox["after"] == {"address": "maria@other.org", "domain": "other.org"}


async def test_renames_across_and_with_shared_targets_do_not_deadlock(auth):
    for name in ("a@site.com", "b@site.com", "c@other.org"):
        await auth.make(name)
    targets = ["a@site.com", "b@site.com", "c@other.org"]
    for domain in ("site.com", "other.org"):
        await auth.admin.set_catchall(domain, "forward", targets=targets)
    pairs = [("a@site.com", "x@other.org"), ("b@site.com", "y@site.com"), ("c@other.org", "z@site.com")]
    await asyncio.gather(*(auth.admin.rename_mailbox(old, new) for old, new in pairs))
    for domain in ("site.com", "other.org"):
        found = (await auth.admin.domain(domain))["catchall"]["targets"]
        assert found == ["x@other.org", "y@site.com", "z@site.com"]
