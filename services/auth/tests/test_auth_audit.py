"""Decision 119: every change by a caller is in the audit, in its transaction, without secrets, and stays there."""

import asyncpg
import pytest

from auth.storage.audit import remove_audit
from mailkit.errors import Conflict

from .roles import admin, asks, side


async def entries(client, **wanted):
    return [entry async for page in client.audit(**wanted) for entry in page]


async def test_a_change_is_noted_with_who_from_where_and_what(auth):
    desk = admin(auth, (await auth.admin.add_token("desk", "operator"))["token"])
    await desk.add_domain("site.com")
    await desk.add_mailbox("a@site.com", password="secret word one")
    await desk.set_quota("a@site.com", 30 << 20)
    await desk.set_password("a@site.com", "secret word two")
    await desk.set_forward("f@site.com", ["x@far.test"])
    await desk.set_forward("f@site.com", ["y@far.test"])
    await desk.add_badmailfrom("@spam.test")
    await desk.delete_badmailfrom("@spam.test")
    found = await entries(desk, actor="desk")
    assert {(entry["role"], entry["source"]) for entry in found} == {("operator", "127.0.0.1")}
    assert all(entry["token_id"] for entry in found)
    said = [(entry["action"], entry["change"], entry["kind"], entry["object"]) for entry in reversed(found)]
    assert said == [
        ("add_domain", "insert", "domains", "site.com"),
        ("add_domain", "insert", "mailboxes", "postmaster@site.com"),
        ("add_mailbox", "insert", "mailboxes", "a@site.com"),
        ("set_quota", "update", "mailboxes", "a@site.com"),
        ("set_password", "update", "mailboxes", "a@site.com"),
        ("set_forward", "insert", "forwards", "f@site.com"),
        ("set_forward", "update", "forwards", "f@site.com"),
        ("add_badmailfrom", "insert", "badmailfrom", "@spam.test"),
        ("delete_badmailfrom", "delete", "badmailfrom", "@spam.test"),
    ]
    quota, password = (
        next(entry for entry in found if entry["action"] == f"set_{name}") for name in ("quota", "password")
    )
    assert quota["before"] == {"quota_limit": 1 << 30, "limit_version": 1}
    assert quota["after"] == {"quota_limit": 30 << 20, "limit_version": 2}
    assert password["before"] == {"password_hash": "(not shown)", "credential_version": 1}
    assert password["after"] == {"password_hash": "(not shown)", "credential_version": 2}
    assert [entry["action"] for entry in await entries(auth.admin, object="f@site.com")] == ["set_forward"] * 2
    assert len(await entries(desk, actor="desk", limit=2)) == len(found), "pages"


async def test_no_secret_is_in_it(auth):
    acme = await side(auth, "acme", "192.0.2.1")
    made = await auth.admin.add_token("t", "domain", domain=acme.domain)
    rotated = await auth.admin.rotate_token(made["id"], 60)
    text = await auth.pool.fetchval("select string_agg(a::text, ' ') from auth.audit a")
    hashes = await auth.pool.fetch(
        "select password_hash from auth.mailboxes where password_hash is not null union all "
        "select encode(hash, 'hex') from auth.token_secrets union all select encode(digest, 'hex') from auth.app_passwords "
        "union all select selector from auth.app_passwords union all select encode(private_key, 'hex') from auth.dkim_keys"
    )
    assert len(hashes) > 5
    for secret in (*(row[0] for row in hashes), made["token"], rotated["token"], "correct horse"):
        assert secret not in text


async def test_what_is_refused_or_flows_leaves_nothing(auth):
    await auth.make("a@site.com")
    before = await auth.pool.fetchval("select count(*) from auth.audit")
    with pytest.raises(Conflict):
        await auth.admin.add_mailbox("a@site.com")
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"  # sets the time of P4, gives a grant
    assert await auth.pool.fetchval("select count(*) from auth.audit") == before


async def test_nobody_changes_it_and_the_owner_removes_old_rows_only(auth):
    await auth.make("a@site.com")
    for refused in ("update auth.audit set actor = 'x'", "delete from auth.audit", "truncate auth.audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await auth.pool.execute(refused)
    lease = auth.parts.maintenance._singleton
    assert await lease.mine()
    there = await auth.pool.fetchval("select count(*) from auth.audit")
    assert await remove_audit(lease, auth.clock.now().replace(year=2100)) == 0
    await auth.pool.execute(
        "insert into auth.audit (at, actor, role, source, action, change, kind, object) "
        "values (now() - interval '91 days', 'x', 'operator', '', '', 'insert', 'x', 'x')"
    )
    assert await remove_audit(lease, auth.clock.now().replace(year=2100)) == 1
    assert await auth.pool.fetchval("select count(*) from auth.audit") == there


async def test_customers_see_their_own_part(auth):
    await side(auth, "acme", "192.0.2.1")
    await side(auth, "umbrella", "198.51.100.7")
    for given in ({"role": "customer", "customer": "acme Inc"}, {"role": "domain", "domain": "acme.test"}):
        own = admin(auth, (await auth.admin.add_token("own", **given))["token"])
        await own.set_tags("acme.test", True)
        await own.set_tags("acme.test", False)
        found = await entries(own)
        assert len(found) > 3 and "umbrella" not in str(found)
        assert {entry["source"] for entry in found if entry["role"] == "operator"} == {None}
        assert await entries(own, object="box@umbrella.test") == []
    answer = await asks(auth.url, "admin-token", "GET", "/v1/audit?since=yesterday")
    assert answer.status_code == 422
