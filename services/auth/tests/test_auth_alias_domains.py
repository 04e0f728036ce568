"""Domains whose addresses are those of another one: mail, logins, grants and senders (docs/decisions/0108)."""

import pytest

from auth.login import domains as known_domains
from auth_api.wire import AuthorQuestion, SenderQuestion
from mailkit.errors import Conflict, NotFound

CLIENT = "203.0.113.9"


@pytest.fixture
async def domains(auth, monkeypatch):
    """site.com with a@, b@ and a forward, and old.net, an alias of it."""
    monkeypatch.setattr(known_domains, "KNOWN_SECONDS", 0.0)
    boxes = await auth.make("a@site.com"), await auth.make("b@site.com")
    await auth.admin.add_forward("list@site.com", ["b@site.com", "x@far.test"])
    made = await auth.admin.add_domain("Old.net", "Site.com")
    assert (made["alias_of"], made["mailboxes"], made["postmaster_id"]) == ("site.com", 0, None)
    return boxes


async def test_mail(auth, domains):
    a, b = domains

    async def where(address: str) -> set[object]:
        return {target.mailbox_id or target.address for target in (await auth.rcpt(address)).targets}

    assert await where("A@Old.net") == {a}
    assert [target.via for target in (await auth.rcpt("a@old.net")).targets] == ["a@old.net"]
    assert await where("list@old.net") == {b, "x@far.test"}
    assert await where("postmaster@old.net") == await where("postmaster@site.com") != set()
    assert (await auth.rcpt("nobody@old.net")).verdict == "no_mailbox"
    await auth.admin.set_catchall("site.com", "mailbox", mailbox="b@site.com")
    assert await where("nobody@old.net") == {b}
    await auth.admin.add_forward("a@old.net", ["y@far.test"])
    assert await where("a@old.net") == {"y@far.test"}, "a forward of the alias itself comes first"
    await auth.admin.set_tags("site.com", True)
    assert await where("a+tag@old.net") == {a}


@pytest.mark.parametrize("login", ["a@old.net", "a%old.net", "A@OLD.NET"])
async def test_logins(auth, domains, login):
    assert (await auth.login("a@site.com", client=CLIENT)).mailbox_id == domains[0]
    answer = await auth.login(login, client=CLIENT)
    assert (answer.outcome, answer.mailbox_id, answer.address) == ("ok", domains[0], "a@site.com")


async def test_wrong_passwords_count_for_the_account_by_whatever_name(auth, domains):
    tried = [await auth.login(name, "wrong", client=CLIENT) for name in ("a@site.com", "a@old.net") * 20]
    throttled = [answer.outcome for answer in tried].index("throttled")
    alone = [await auth.login("b@site.com", "wrong", client="198.51.100.7") for _ in range(throttled + 1)]
    assert [answer.outcome for answer in alone].index("throttled") == throttled


async def test_a_grant_and_a_login_may_use_the_addresses_as_sender(auth, domains):
    a, _ = domains
    await auth.login("a@old.net", client=CLIENT)
    (answer,) = await auth.gateway.senders([SenderQuestion("a@old.net", CLIENT, None)])
    assert answer.domain_local and answer.relay.address == "a@site.com"
    for name in ("site.com", "old.net"):
        await auth.admin.set_identity(name, "enforce", "mailbox")
    for address, own in (("a@old.net", True), ("b@old.net", False), ("list@old.net", False), ("a@site.com", True)):
        for client, login in ((CLIENT, None), (None, a)):
            (found,) = await auth.gateway.authors([AuthorQuestion([address], client, login)])
            assert found.allowed == own, (address, client)
    await auth.admin.set_identity("old.net", "enforce", "domain")
    (found,) = await auth.gateway.authors([AuthorQuestion(["b@old.net"], None, a)])
    assert found.allowed


async def test_what_an_alias_cannot_have_or_be(auth, domains):
    with pytest.raises(Conflict, match="old.net is an alias of site.com; use that domain"):
        await auth.admin.add_mailbox("new@old.net", password="correct horse")
    with pytest.raises(Conflict, match="is an alias of"):
        await auth.admin.add_domain("older.net", "old.net")
    with pytest.raises(NotFound, match="no domain nowhere.test"):
        await auth.admin.add_domain("older.net", "nowhere.test")
    with pytest.raises(Conflict, match="is an alias of"):
        await auth.admin.set_catchall("old.net", "forward", targets=["x@far.test"])
    with pytest.raises(Conflict, match="here already"):
        await auth.admin.add_domain("site.com", "site.com")
    for address in ("a@site.com", "b@site.com"):
        await auth.admin.disable_mailbox(address, removal=True)
        await auth.admin.delete_mailbox(address)
    with pytest.raises(Conflict, match="old.net is an alias of site.com; remove it first"):
        await auth.admin.close_domain("site.com")
    await auth.admin.close_domain("old.net")
    assert (await auth.rcpt("postmaster@old.net")).verdict == "no_mailbox"
    await auth.admin.delete_domain("old.net")
    await auth.admin.close_domain("site.com")
    await auth.admin.delete_domain("site.com")


async def test_a_domain_that_becomes_an_alias_is_known_by_its_new_name_for_logins_within_seconds(auth):
    a = await auth.make("a@site.com")
    assert (await auth.login("a@late.net", client=CLIENT)).outcome != "ok"
    await auth.admin.add_domain("late.net", "site.com")
    assert known_domains.KNOWN_SECONDS < 5
    auth.parts.logins._names._domains._known.clear()
    assert (await auth.login("a@late.net", client=CLIENT)).mailbox_id == a
