"""What a plan has off: protocols at login and in open sessions, grants, relaying; P4 by plan (docs/decisions/0114)."""

import time
from types import SimpleNamespace

import pytest

from auth.login import domains as known_domains
from auth_api import wire
from mailkit.ids import new_id

CLIENT = "203.0.113.9"


@pytest.fixture
async def limited(auth, monkeypatch):
    """`limited(field=…)` sets the plan of site.com's customer, which is in force at once; own.com has no plan."""
    monkeypatch.setattr(known_domains, "KNOWN_SECONDS", 0.0)
    await auth.admin.add_plan("small", {})
    await auth.admin.add_customer("a", "small")
    await auth.make("a@site.com")
    await auth.make("b@own.com")
    await auth.admin.set_domain_customer("site.com", "a")

    async def set_limits(**limits):
        await auth.admin.set_plan("small", limits)

    return set_limits


@pytest.mark.parametrize(("protocol", "field"), [("pop3", "pop3"), ("imap", "imap"), ("smtp", "smtp_auth")])
async def test_a_protocol_that_is_off(auth, limited, protocol, field):
    login = await auth.login("a@site.com", protocol=protocol, client=CLIENT)
    assert (login.outcome, login.off) == ("ok", False)
    session = wire.SessionQuestion(login.mailbox_id, login.credential_version, login.proof, protocol)
    assert (await auth.frontend.recheck([session])).items == [True]
    await auth.admin.revoke_grants(mailbox="a@site.com") if protocol != "smtp" else None
    await limited(**{field: False})
    auth.pass_time(61)
    refused = await auth.login("a@site.com", protocol=protocol, client=CLIENT)
    assert (refused.outcome, refused.off, refused.mailbox_id, refused.proof) == ("refused", True, None, b"")
    wrong = await auth.login("a@site.com", "wrong", protocol=protocol, client=CLIENT)
    assert (wrong.outcome, wrong.off) == ("refused", False), "who has no password learns nothing of the plan"
    assert (await auth.frontend.recheck([session])).items == [False]
    others = {"pop3", "imap", "smtp"} - {protocol}
    assert [(await auth.login("a@site.com", protocol=other)).outcome for other in sorted(others)] == ["ok", "ok"]
    assert (await auth.login("b@own.com", protocol=protocol)).outcome == "ok"
    assert await auth.pool.fetchval("select count(*) from auth.grants where address = $1", CLIENT) == 0


async def test_a_login_by_an_alias_domain_is_the_accounts(auth, limited):
    await auth.admin.add_domain("old.net", "site.com")
    await limited(imap=False)
    assert (await auth.login("a@old.net")).off


async def test_smtp_auth_that_is_off_ends_the_right_of_open_connections(auth, limited):
    login = await auth.login("a@site.com", protocol="smtp")
    assert (await auth.mail("a@site.com", login=login.mailbox_id)).relay is not None
    await limited(smtp_auth=False)
    assert (await auth.mail("a@site.com", login=login.mailbox_id)).relay is None
    assert (await auth.rcpt("x@far.test", login=login.mailbox_id)).verdict == "not_relayed"


@pytest.mark.parametrize("field", ["open_smtp", "relay"])
async def test_no_grant_is_given_and_none_honoured(auth, limited, field):
    await auth.login("a@site.com", client=CLIENT)
    assert (await auth.mail("", client=CLIENT)).relay.address == "a@site.com"
    await limited(**{field: False})
    assert (await auth.rcpt("x@far.test", client=CLIENT)).verdict == "not_relayed"
    assert (await auth.mail("", client=CLIENT)).relay is None
    auth.pass_time(61)
    assert (await auth.login("a@site.com", client=CLIENT)).outcome == "ok"
    assert await auth.admin.grants() == []


async def test_a_grant_that_has_ended_hides_none_of_another_mailbox(auth, limited):
    await auth.login("b@own.com", client=CLIENT)
    auth.pass_time(1)
    await auth.login("a@site.com", client=CLIENT)
    await limited(open_smtp=False)
    assert (await auth.mail("x@far.test", client=CLIENT)).relay.address == "b@own.com"
    assert (await auth.rcpt("x@far.test", client=CLIENT)).verdict == "accepted"


async def test_without_relaying_a_login_sends_to_addresses_here_only(auth, limited):
    box = (await auth.login("a@site.com", protocol="smtp")).mailbox_id
    await limited(relay=False)
    assert (await auth.mail("a@site.com", login=box)).relay is not None
    assert (await auth.rcpt("x@far.test", login=box)).verdict == "not_relayed"
    assert (await auth.rcpt("b@own.com", login=box)).verdict == "accepted"


async def test_the_time_between_checks_by_pop3_is_the_plans(auth, limited):
    await limited(login_delay=300, expire=30)
    first = await auth.login("a@site.com", protocol="pop3")
    assert (first.outcome, first.login_delay, first.expire) == ("ok", 300, 30)
    auth.pass_time(299)
    soon = await auth.login("a@site.com", protocol="pop3")
    assert (soon.outcome, soon.retry_after, soon.login_delay) == ("too_soon", 1, 300)
    auth.pass_time(1)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"
    await limited(login_delay=0)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"
    await limited(login_delay=None, expire=None)
    soon = await auth.login("a@site.com", protocol="pop3")
    assert (soon.outcome, soon.login_delay, soon.expire) == ("too_soon", -1, -1)
    two = [
        wire.Login(id_, "pop3", name, "correct horse", CLIENT)
        for id_, name in ((new_id(), "a@site.com"), (new_id(), "b@own.com"))
    ]
    await limited(login_delay=10)
    auth.pass_time(10)
    assert [each.outcome for each in await auth.frontend.logins(two)] == ["ok", "ok"]


async def test_a_change_is_in_force_within_five_seconds(auth, monkeypatch):
    await auth.admin.add_plan("small", {})
    await auth.admin.add_customer("a", "small")
    await auth.make("a@site.com")
    await auth.admin.set_domain_customer("site.com", "a")
    assert (await auth.login("a@site.com")).outcome == "ok"
    await auth.admin.set_plan("small", {"imap": False})
    in_five_seconds = SimpleNamespace(monotonic=lambda: time.monotonic() + 5)
    monkeypatch.setattr(known_domains, "time", in_five_seconds)
    assert (await auth.login("a@site.com")).off
