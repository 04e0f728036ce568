"""The trace of accounts: logins once an hour, and each change in the transaction that makes it."""

from datetime import UTC, datetime, timedelta

import pytest

from auth.login import noted
from auth.storage import events
from mailkit.errors import NotFound, Unavailable


async def traced(auth, **wanted):
    await auth.parts.noted.store()
    return [event async for page in auth.admin.trace(**wanted) for event in page]


def told(found):
    return [(event["event"], event["address"], event["detail"]) for event in found]


async def test_a_login_is_an_event_once_an_hour_for_an_account_network_and_protocol(auth):
    mailbox_id = await auth.make("anna@here.test")
    for _ in range(2):
        assert (await auth.login("anna@here.test", client="192.0.2.7")).outcome == "ok"
        await auth.login("anna@here.test", client="192.0.2.8")
        await auth.login("anna@here.test", client="198.51.100.1", protocol="smtp")
        await auth.login("anna@here.test", "wrong")
        auth.parts.noted._known.clear()  # as another replica
    auth.pass_time(3600)
    await auth.login("anna@here.test")
    logins = [event for event in await traced(auth, address="ANNA@here.test") if event["event"] == "login"]
    assert sorted((e["at"], e["client"], e["protocol"], e["detail"]) for e in logins) == [
        ("2026-03-01T12:00:00Z", "192.0.2.7", "imap", "grant"),
        ("2026-03-01T12:00:00Z", "198.51.100.1", "smtp", ""),
        ("2026-03-01T13:00:00Z", "192.0.2.7", "imap", "grant"),
    ]
    assert {e["mailbox_id"] for e in logins} == {str(mailbox_id)}
    assert [e["protocol"] for e in await traced(auth, client="198.51.100.1")] == ["smtp"]


async def test_logins_wait_for_the_database_in_bounded_memory(auth, monkeypatch):
    monkeypatch.setattr(noted, "MOST_WAITING", 2)
    monkeypatch.setattr(noted, "BATCH", 1)
    await auth.make("anna@here.test")
    for n in range(3):
        await auth.login("anna@here.test", client=f"198.51.{n}.1")

    async def away(rows):
        raise Unavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth.parts.events, "note_logins", away)
        await auth.parts.noted.store()
    assert [e["event"] for e in await traced(auth, address="anna@here.test")].count("login") == 2


async def test_every_change_is_an_event_of_its_transaction(auth, monkeypatch):
    monkeypatch.setattr("auth.handlers.trace.WINDOW", 3)
    mailbox_id = await auth.make("anna@here.test")
    await auth.login("anna@here.test", client="192.0.2.7")
    await auth.admin.revoke_grants(address="192.0.2.7")
    await auth.admin.set_password("anna@here.test", "another horse")
    await auth.admin.set_quota("anna@here.test", 50 << 20)
    await auth.admin.disable_mailbox("anna@here.test")
    await auth.admin.enable_mailbox("anna@here.test")
    await auth.admin.add_forward("info@here.test", ["x@far.test", "y@far.test"])
    await auth.admin.delete_forward("info@here.test")
    await auth.admin.set_catchall("here.test", "forward", targets=["z@far.test"])
    await auth.admin.add_badmailfrom("@bad.test")
    await auth.admin.delete_badmailfrom("@bad.test")
    await auth.admin.disable_mailbox("anna@here.test", removal=True)
    await auth.admin.delete_mailbox("anna@here.test")
    with pytest.raises(NotFound):
        await auth.admin.set_quota("anna@here.test", 50 << 20)
    changes = [event for event in await traced(auth, newer=10**9) if event["event"] != "login"]
    assert told(changes[::-1]) == [
        ("domain_added", "here.test", ""),
        ("mailbox_added", "anna@here.test", ""),
        ("grant_revoked", "anna@here.test", "192.0.2.7"),
        ("password_changed", "anna@here.test", ""),
        ("quota_changed", "anna@here.test", str(50 << 20)),
        ("mailbox_disabled", "anna@here.test", ""),
        ("mailbox_enabled", "anna@here.test", ""),
        ("forward_added", "info@here.test", "x@far.test y@far.test"),
        ("forward_removed", "info@here.test", ""),
        ("catchall_set", "here.test", "forward  z@far.test"),
        ("badmailfrom_added", "@bad.test", ""),
        ("badmailfrom_removed", "@bad.test", ""),
        ("mailbox_removing", "anna@here.test", ""),
        ("mailbox_deleted", "anna@here.test", ""),
    ]
    of_anna = await traced(auth, address="anna@here.test")
    assert {event["mailbox_id"] for event in of_anna} == {str(mailbox_id)}
    assert "horse" not in str(of_anna)


async def test_days_are_made_ahead_and_dropped_behind(auth):
    async def names():
        rows = await auth.pool.fetch(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
            "where i.inhparent = 'auth.event'::regclass order by 1"
        )
        return [row["relname"] for row in rows]

    await auth.parts.maintenance.run()
    assert await names() == [*(f"event_2026030{day}" for day in range(1, 9)), "event_rest"]
    await events.add(auth.pool, "old", "rest@here.test", datetime.now(UTC))
    auth.pass_time(timedelta(days=400).total_seconds())
    await auth.parts.maintenance.run()
    made = await names()
    assert len(made) == 9 and "event_20260301" not in made
    assert await auth.pool.fetchval("select count(*) from auth.event") == 0
