"""App passwords: what they open, from where, until when, and what a wrong one costs (docs/decisions/0123)."""

import asyncio
from datetime import timedelta

import pytest

from auth.login import app_passwords
from auth_api import wire
from mailkit.errors import BadRequest, Conflict, NotFound
from mailkit.ids import new_id

ANNA = "anna@here.test"


async def made(auth, name="phone", **limits):
    return (await auth.admin.make_app_password(ANNA, name, **limits))["password"]


async def session(auth, answer, caller=None):
    question = wire.SessionQuestion(answer.mailbox_id, answer.credential_version, answer.proof)
    return (await (caller or auth.frontend).sessions([question]))[0]


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
async def test_an_app_password_opens_its_mailbox_without_a_costly_hash(auth, protocol):
    box = await auth.make(ANNA)
    text = await made(auth)
    before = auth.hasher.computed
    for typed in (text, text.replace("-", ""), text.replace("-", " ").upper()):
        auth.pass_time(100)
        answer = await auth.login(ANNA, typed, protocol=protocol)
        assert (answer.outcome, answer.mailbox_id, answer.address) == ("ok", box, ANNA)
        assert await session(auth, answer, auth.gateway if protocol == "smtp" else None)
    assert auth.hasher.computed == before


async def test_its_text_is_shown_once_and_only_a_digest_is_stored(auth):
    await auth.make(ANNA)
    record = await auth.admin.make_app_password(ANNA, "phone", protocols=["imap"], networks=["192.0.2.0/24"])
    text = record.pop("password")
    assert len(text.replace("-", "")) == 32
    assert await auth.admin.app_passwords(ANNA) == [record]
    stored = str(await auth.pool.fetch("select * from auth.app_passwords")) + str(
        [page async for page in auth.admin.trace(address=ANNA)]
    )
    assert text.replace("-", "")[6:] not in stored and text not in stored


async def test_a_wrong_one_costs_one_hash_and_counts_as_a_wrong_main_password(auth):
    await auth.make(ANNA)
    texts = [await made(auth, f"device {n}") for n in range(20)]
    near = texts[0][:-1] + ("a" if texts[0][-1] != "a" else "b")
    for wrong in (near, "z" * 32, "wrong"):
        before = auth.hasher.computed
        assert (await auth.login(ANNA, wrong)).outcome == "refused"
        assert auth.hasher.computed - before == 1
    counted = await auth.pool.fetchval(
        "select failures from auth.login_failures where kind = 'account' and key = $1", ANNA
    )
    assert counted == 3
    for _ in range(7):
        await auth.login(ANNA, near)
    assert (await auth.login(ANNA, texts[0])).outcome == "throttled"


async def test_a_main_password_of_the_same_form_is_good(auth):
    await auth.make(ANNA, "abcd" * 8)
    await made(auth)
    assert (await auth.login(ANNA, "abcd" * 8)).outcome == "ok"


async def test_it_is_good_for_its_protocols_networks_and_time_only(auth):
    await auth.make(ANNA)
    text = await made(auth, protocols=["imap"], networks=["192.0.2.0/25", "2001:db8::/32"])
    assert (await auth.login(ANNA, text, client="192.0.2.7")).outcome == "ok"
    assert (await auth.login(ANNA, text, client="2001:db8::9")).outcome == "ok"
    assert (await auth.login(ANNA, text, client="192.0.2.200")).outcome == "refused"
    assert (await auth.login(ANNA, text, client=None)).outcome == "refused"
    assert (await auth.login(ANNA, text, protocol="pop3")).outcome == "refused"
    assert (await auth.login(ANNA, text, protocol="smtp")).outcome == "refused"
    until = auth.clock.now() + timedelta(hours=1)
    short = await made(auth, "short", expires_at=until)
    answer = await auth.login(ANNA, short)
    assert answer.outcome == "ok" and await session(auth, answer)
    auth.pass_time(3600)
    assert (await auth.login(ANNA, short)).outcome == "refused"
    assert not await session(auth, answer)


async def test_without_smtp_a_login_gives_no_grant(auth):
    await auth.make(ANNA)
    text = await made(auth, protocols=["imap"])
    assert (await auth.login(ANNA, text)).outcome == "ok"
    assert await auth.admin.grants() == []
    full = await made(auth, "full")
    assert (await auth.login(ANNA, full)).outcome == "ok"
    assert [grant["mailbox"] for grant in await auth.admin.grants()] == [ANNA]


async def test_revoking_ends_its_sessions_and_grants_and_no_other_session(auth):
    await auth.make(ANNA)
    first, second = await made(auth, "first"), await made(auth, "second")
    of_first, of_second, of_main = [await auth.login(ANNA, text) for text in (first, second, "correct horse")]
    listed = {row["name"]: row["id"] for row in await auth.admin.app_passwords(ANNA)}
    await auth.admin.revoke_app_password(ANNA, listed["first"])
    assert [await session(auth, answer) for answer in (of_first, of_second, of_main)] == [False, True, True]
    assert await auth.admin.grants() == []
    assert (await auth.login(ANNA, first)).outcome == "refused"
    with pytest.raises(NotFound):
        await auth.admin.revoke_app_password(ANNA, listed["first"])


async def test_a_login_that_meets_its_revocation_is_refused_and_leaves_no_grant(auth):
    await auth.make(ANNA)
    text = await made(auth)
    async with auth.pool.acquire() as connection:
        revocation = connection.transaction()
        await revocation.start()
        await connection.execute("delete from auth.app_passwords")
        login = asyncio.create_task(auth.login(ANNA, text))
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        while not login.done() and not await auth.pool.fetchval(waits):
            await asyncio.sleep(0.01)
        assert not login.done()
        await revocation.commit()
    assert (await login).outcome == "refused"
    assert await auth.admin.grants() == []


async def test_its_sessions_outlive_a_new_main_password_but_not_disabling(auth):
    await auth.make(ANNA)
    answer = await auth.login(ANNA, await made(auth))
    await auth.admin.set_password(ANNA, "another")
    assert await session(auth, answer)
    auth.pass_time(400)  # its proof is renewed
    assert await session(auth, answer)
    await auth.admin.disable_mailbox(ANNA)
    assert not await session(auth, answer)


async def test_the_number_of_another_mailboxs_app_password_is_no_session(auth):
    await auth.make(ANNA)
    other = await auth.make("other@here.test")
    answer = await auth.login(ANNA, await made(auth))
    question = wire.SessionQuestion(other, answer.credential_version)
    assert await auth.frontend.sessions([question]) == [False]
    text = await made(auth, "second")
    assert (await auth.login("other@here.test", text)).outcome == "refused"


async def test_with_the_main_password_off_only_app_passwords_are_good(auth):
    await auth.make(ANNA)
    text = await made(auth)
    of_main, of_app = await auth.login(ANNA), await auth.login(ANNA, text)
    assert (await auth.admin.set_main_password(ANNA, False))["main_password"] is False
    assert not await session(auth, of_main) and await session(auth, of_app)
    before = auth.hasher.computed
    assert (await auth.login(ANNA)).outcome == "refused"  # although it was remembered
    assert auth.hasher.computed - before == 1
    assert (await auth.login(ANNA, text)).outcome == "ok"
    await auth.admin.set_password(ANNA, "another")
    assert (await auth.login(ANNA, "another")).outcome == "refused"
    await auth.admin.set_main_password(ANNA, True)
    assert (await auth.login(ANNA, "another")).outcome == "ok"


async def test_the_same_operation_is_answered_alike(auth):
    await auth.make(ANNA)
    text, operation = await made(auth), new_id()
    first = await auth.login(ANNA, text, operation=operation)
    again = await auth.login(ANNA, text, operation=operation)
    assert (again.mailbox_id, again.credential_version) == (first.mailbox_id, first.credential_version)
    assert again.credential_version < 0


async def test_the_trace_names_it_and_the_list_has_its_last_use(auth):
    await auth.make(ANNA)
    await auth.login(ANNA, await made(auth, "Anna's  phone"), client="198.51.100.7")
    await auth.login(ANNA, client="198.51.100.7")
    await auth.parts.noted.store()
    events = [event async for page in auth.admin.trace(address=ANNA) for event in page]
    assert sorted(event["detail"] for event in events if event["event"] == "login") == [
        "grant",
        "grant, app password Anna's phone",
    ]
    (record,) = await auth.admin.app_passwords(ANNA)
    assert (record["last_used_at"], record["last_used_from"]) == ("2026-03-01T12:00:00Z", "198.51.100.7")
    auth.pass_time(-100)  # an older login that another replica stores later does not set the time back
    auth.parts.noted._known.clear()
    await auth.login(ANNA, await made(auth, "tablet"))
    await auth.parts.noted.store()
    await auth.admin.revoke_app_password(ANNA, record["id"])
    assert [row["name"] for row in await auth.admin.app_passwords(ANNA)] == ["tablet"]
    events = [event["event"] async for page in auth.admin.trace(address=ANNA) for event in page]
    assert events.count("app_password_made") == 2 and events.count("app_password_revoked") == 1


@pytest.mark.parametrize(
    "question",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 65},
        {"name": "a\nb\x1b"},
        {"name": "a\x00"},
        {"name": "a", "networks": ["192.0.2.1/24"]},
        {"name": "a", "networks": ["192.0.2.0/24"] * 21},
        {"name": "a", "networks": ["here"]},
        {"name": "a", "protocols": ["http"]},
        {"name": "a", "protocols": ["imap"] * 4},
    ],
)
async def test_what_cannot_be_an_app_password_is_a_sentence_and_changes_nothing(auth, question):
    await auth.make(ANNA)
    with pytest.raises(BadRequest):
        await made(auth, **question)
    assert await auth.admin.app_passwords(ANNA) == []


async def test_limits_of_names_number_and_mailboxes(auth):
    await auth.make(ANNA)
    await made(auth)
    with pytest.raises(Conflict):
        await made(auth)
    with pytest.raises(BadRequest):
        await made(auth, "past", expires_at=auth.clock.now())
    for n in range(49):
        await made(auth, f"device {n}")
    with pytest.raises(Conflict):
        await made(auth, "one more")
    for call in (auth.admin.app_passwords("x@here.test"), auth.admin.make_app_password("x@here.test", "a")):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await auth.admin.set_main_password("nobody@here.test", False)


def test_long_texts_are_not_read():
    assert app_passwords.parse("a" * 33) is None
    assert app_passwords.parse("a-" * 33) is None
    assert app_passwords.parse("é" * 32) is None
    assert app_passwords.parse("1" * 32) is None
    text, secret = app_passwords.generate()
    assert app_passwords.parse(text) == secret
