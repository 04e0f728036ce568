"""Logins: names (P1), P4, grants (S2, I2), failures, memory and the one cost of every refusal (decision 15)."""

import asyncio
from urllib.parse import urlsplit

import pytest
from msgspec import structs
from passlib.hash import bcrypt, des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from auth_api import wire
from mailkit.errors import BadRequest, Unavailable
from mailkit.ids import new_id


@pytest.mark.parametrize(
    "login", ["webmaster%site.com", "webmaster@site.com", "WebMaster@SITE.com.", "webmaster%Site.Com"]
)
@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
async def test_p1_every_form_of_a_login_is_the_same_mailbox(auth, login, protocol):
    box = await auth.make("webmaster@site.com")
    answer = await auth.login(login, protocol=protocol)
    assert (answer.outcome, answer.mailbox_id, answer.address) == ("ok", box, "webmaster@site.com")
    assert (answer.credential_version, answer.quota_limit, answer.limit_version) == (1, 1024**3, 1)


@pytest.mark.parametrize(
    "login", ["", "a", "a@", "@site.com", "a b@site.com", "a\x00@site.com", "x" * 5000, "a@site.com\r\n", "a@@b"]
)
async def test_what_is_no_address_is_refused_like_an_unknown_user(auth, login):
    await auth.make("a@site.com")
    assert (await auth.login(login, "wrong")).outcome == "refused"


async def test_unknown_disabled_passwordless_and_wrong_cost_one_hash_each(auth):
    await auth.make("a@site.com")
    await auth.make("off@site.com")
    await auth.admin.disable_mailbox("off@site.com")
    await auth.make("old@site.com", None)
    await auth.pool.execute(
        "update auth.mailboxes set password_hash = $1 where address = 'old@site.com'", md5_crypt.hash("x")
    )
    for login, password in [
        ("a@site.com", "wrong"),
        ("nobody@site.com", "wrong"),
        ("nobody@nowhere.test", "wrong"),
        ("off@site.com", "correct horse"),
        ("postmaster@site.com", ""),
        ("old@site.com", "wrong"),
        ("a@site.com", "x" * 100_000),
    ]:
        before = auth.hasher.computed
        assert (await auth.login(login, password)).outcome == "refused", login
        assert auth.hasher.computed - before == 1, login


async def test_a_checked_password_is_remembered_and_a_change_is_in_force_at_once(auth):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com")).outcome == "ok"
    before = auth.hasher.computed
    for _ in range(5):
        assert (await auth.login("a@site.com")).outcome == "ok"
    assert auth.hasher.computed == before
    await auth.admin.set_password("a@site.com", "another one")
    assert (await auth.login("a@site.com")).outcome == "refused"
    answer = await auth.login("a@site.com", "another one")
    assert (answer.outcome, answer.credential_version) == ("ok", 2)
    await auth.admin.disable_mailbox("a@site.com")
    assert (await auth.login("a@site.com", "another one")).outcome == "refused"
    await auth.admin.enable_mailbox("a@site.com")
    assert (await auth.login("a@site.com", "another one")).outcome == "ok"


async def test_an_address_made_again_does_not_know_the_old_password(auth):
    old = await auth.make("a@site.com")
    await auth.login("a@site.com")
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    await auth.admin.delete_mailbox("a@site.com")
    new = await auth.make("a@site.com", "different")
    assert new != old
    assert (await auth.login("a@site.com")).outcome == "refused"
    assert (await auth.login("a@site.com", "different")).mailbox_id == new


@pytest.mark.parametrize(
    "legacy",
    [
        md5_crypt.hash("correct horse"),
        des_crypt.hash("correct horse"),
        sha256_crypt.using(rounds=5000).hash("correct horse"),
        sha512_crypt.using(rounds=5000).hash("correct horse"),
        bcrypt.using(rounds=4, ident="2y").hash("correct horse"),
    ],
    ids=["md5", "des", "sha256", "sha512", "bcrypt"],
)
async def test_a_vpopmail_hash_is_verified_once_and_replaced(auth, legacy):
    await auth.admin.add_domain("site.com")
    await auth.admin.add_mailbox("a@site.com", password_hash=legacy)
    answer = await auth.login("a@site.com")
    assert (answer.outcome, answer.credential_version) == ("ok", 1)
    stored = await auth.pool.fetchval("select password_hash from auth.mailboxes where address = 'a@site.com'")
    assert stored.startswith("$argon2id$")
    assert (await auth.login("a@site.com")).outcome == "ok"
    assert (await auth.login("a@site.com", "wrong")).outcome == "refused"


async def test_a_hash_replaces_a_password_and_ends_its_sessions(auth):
    await auth.make("a@site.com", "old")
    record = await auth.admin.set_password("a@site.com", password_hash=md5_crypt.hash("correct horse"))
    assert record["credential_version"] == 2
    assert (await auth.login("a@site.com", "old")).outcome == "refused"
    assert (await auth.login("a@site.com")).outcome == "ok"


@pytest.mark.parametrize(
    "costly",
    [
        "$6$rounds=999999999$saltstring$" + "x" * 86,
        "$5$rounds=999999999$saltstring$" + "x" * 43,
        "$2y$31$" + "x" * 53,
        "$argon2id$v=19$m=4194304,t=10,p=1$c29tZXNhbHQ$" + "x" * 43,
        "$argon2id$",
        "!",
        "",
        "*",
        "plain",
    ],
)
async def test_a_hash_that_costs_seconds_or_is_none_is_refused(auth, costly):
    await auth.make("a@site.com")
    with pytest.raises(BadRequest, match="password_hash"):
        await auth.admin.set_password("a@site.com", password_hash=costly)
    with pytest.raises(BadRequest, match="which password"):
        await auth.admin.set_password("a@site.com")
    with pytest.raises(BadRequest, match="exclude"):
        await auth.admin.set_password("a@site.com", "x", password_hash=costly)
    assert (await auth.login("a@site.com")).outcome == "ok"


async def test_p4_one_pop3_login_a_minute_and_a_refused_one_does_not_restart_it(auth):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"
    auth.pass_time(30)
    answer = await auth.login("a@site.com", protocol="pop3")
    assert (answer.outcome, answer.retry_after, answer.mailbox_id) == ("too_soon", 30, None)
    auth.pass_time(29.5)
    assert (await auth.login("a@site.com", protocol="pop3")).retry_after == 1
    assert (await auth.login("a@site.com", "wrong", protocol="pop3")).outcome == "refused"  # P4 only after the password
    assert (await auth.login("a@site.com", protocol="imap")).outcome == "ok"
    auth.pass_time(0.5)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"


async def test_p4_of_racing_logins_one_gets_in(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client=None)  # the password is in memory: nothing but the statement decides
    answers = await asyncio.gather(
        *(auth.login("a@site.com", protocol="pop3", client=f"192.0.2.{n}") for n in range(20))
    )
    assert sorted(answer.outcome for answer in answers) == ["ok"] + ["too_soon"] * 19
    one_list = [wire.Login(new_id(), "pop3", "a@site.com", "correct horse", "192.0.2.1") for _ in range(5)]
    auth.pass_time(61)
    assert [answer.outcome for answer in await auth.frontend.logins(one_list)] == ["ok"] + ["too_soon"] * 4
    winner = f"192.0.2.{[answer.outcome for answer in answers].index('ok')}"
    assert {grant["address"] for grant in await auth.admin.grants()} == {winner, "192.0.2.1"}


async def test_p4_times_from_a_clock_that_was_set_back_do_not_lock_out(auth):
    await auth.make("a@site.com")
    auth.pass_time(86400)
    await auth.login("a@site.com", protocol="pop3")
    auth.pass_time(-86400)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"


@pytest.mark.parametrize("settings", [{"pop3_login_delay_padding_seconds": 2}], indirect=True)
async def test_p4_with_padding(auth):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"
    auth.pass_time(57.5)
    answer = await auth.login("a@site.com", protocol="pop3")
    assert (answer.outcome, answer.retry_after) == ("too_soon", 1)
    auth.pass_time(0.5)
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"


async def test_passwords_are_compared_as_saslprep_prepares_them(auth):
    await auth.make("a@site.com", "gr\u00fcn")
    assert (await auth.login("a@site.com", "gru\u0308n")).outcome == "ok"
    await auth.make("b@site.com", "\u00b2 \ue000")  # a prohibited character: as it is
    assert (await auth.login("b@site.com", "\u00b2 \ue000")).outcome == "ok"
    assert (await auth.login("b@site.com", "2 \ue000")).outcome == "refused"
    # a hash of an earlier release, of the password as it was given
    await auth.make("c@site.com", "x")
    old = auth.hasher.hash("\u00b2")
    await auth.pool.execute("update auth.mailboxes set password_hash = $1 where address = 'c@site.com'", old)
    before = auth.hasher.computed
    assert (await auth.login("c@site.com", "\u00b3")).outcome == "refused"
    assert auth.hasher.computed - before == 2
    assert (await auth.login("c@site.com", "\u00b2")).outcome == "ok"
    assert await auth.pool.fetchval("select password_hash from auth.mailboxes where address = 'c@site.com'") != old
    assert (await auth.login("c@site.com", "2")).outcome == "ok"


@pytest.mark.parametrize("settings", [{"pop3_login_delay_seconds": 0}], indirect=True)
async def test_p4_can_be_switched_off(auth):
    await auth.make("a@site.com")
    assert [(await auth.login("a@site.com", protocol="pop3")).outcome for _ in range(3)] == ["ok"] * 3


async def test_a_repeated_operation_gets_its_first_answer_and_does_nothing_again(auth):
    await auth.make("a@site.com")
    operation = new_id()
    first = await auth.login("a@site.com", protocol="pop3", operation=operation)
    auth.pass_time(30)
    again = await auth.login("a@site.com", protocol="pop3", operation=operation)
    assert structs.replace(again, proof=first.proof) == first  # the proof is of this moment
    late = new_id()
    refused = await auth.login("a@site.com", protocol="pop3", operation=late)
    assert refused.outcome == "too_soon"
    auth.pass_time(31)
    assert await auth.login("a@site.com", protocol="pop3", operation=late) == refused
    wrong = new_id()
    for _ in range(3):
        assert (await auth.login("a@site.com", "wrong", operation=wrong)).outcome == "refused"
    assert await auth.pool.fetchval("select failures from auth.login_failures where kind = 'network'") == 1


async def test_the_same_operation_at_the_same_moment_is_done_once(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client=None)
    question = wire.Login(new_id(), "pop3", "a@site.com", "correct horse", "192.0.2.9")
    lists = await asyncio.gather(*(auth.frontend.logins([question, question]) for _ in range(8)))
    assert {answer.outcome for answers in lists for answer in answers} == {"ok"}


async def test_failures_are_counted_by_account_and_looked_at_before_hashing(auth):
    await auth.make("a@site.com")
    for n in range(10):
        assert (await auth.login("a@site.com", "wrong", client=f"192.0.2.{n}")).outcome == "refused"
    before = auth.hasher.computed
    auth.pass_time(60)
    answer = await auth.login("a@site.com", client="192.0.2.99")
    assert (answer.outcome, answer.retry_after) == ("throttled", 540)
    assert auth.hasher.computed == before
    auth.pass_time(541)
    assert (await auth.login("a@site.com")).outcome == "ok"


async def test_a_right_password_sets_back_the_counter_of_its_own_network(auth):
    await auth.make("a@site.com")
    await auth.login("a@site.com", client="192.0.2.250")
    for protocol in ("smtp", "pop3", "imap"):
        for n in range(9):
            assert (await auth.login("a@site.com", f"wrong {n}", client=f"192.0.2.{n}")).outcome == "refused"
        assert (await auth.login("a@site.com", protocol=protocol)).outcome == "ok"
    assert await auth.pool.fetchval("select failures from auth.login_failures where kind = 'network'") == 0
    assert await auth.pool.fetchval("select count(*) from auth.login_failures where kind = 'account'") == 0


@pytest.mark.parametrize("home", ["203.0.113.{}", "2001:db8:1:2::{}"])
async def test_a_spray_from_many_networks_gets_its_guesses_and_the_owner_gets_in(auth, home):
    """Strangers' wrong passwords used to lock the owner out; his logins used to give them as many guesses again."""
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com", client=home.format(1))).outcome == "ok"
    seen = []
    for n in range(60):
        seen.append((await auth.login("a@site.com", f"guess {n}", client=f"198.51.{n}.7")).outcome)
        answer = await auth.login("a@site.com", client=home.format(2))
        assert (answer.outcome, answer.delay) == ("ok", 0)
    assert seen == ["refused"] * 30 + ["throttled"] * 30
    assert (await auth.login("a@site.com", client="198.51.100.7")).outcome == "throttled", (
        "from a network it never used"
    )
    for n in range(10):
        assert (await auth.login("a@site.com", f"typo {n}", client=home.format(3))).outcome == "refused"
    assert (await auth.login("a@site.com", client=home.format(2))).outcome == "throttled", (
        "its own network has a limit too"
    )


async def test_a_network_is_an_accounts_own_for_a_fortnight_and_their_number_is_bounded(auth, monkeypatch):
    monkeypatch.setattr("auth.storage.logins.MOST_NETWORKS", 3)
    await auth.make("a@site.com")
    for n in range(5):
        assert (await auth.login("a@site.com", protocol="smtp", client=f"198.51.{n}.1")).outcome == "ok"
    assert await auth.pool.fetchval("select count(*) from auth.login_networks") == 3
    before = await auth.pool.fetchval("select count(*) from auth.operations")
    assert (await auth.login("a@site.com", protocol="smtp", client="198.51.0.9")).outcome == "ok"
    assert await auth.pool.fetchval("select count(*) from auth.operations") == before, "written once a day"
    auth.pass_time(14 * 86400)
    for n in range(30):
        await auth.login("a@site.com", f"guess {n}", client=f"203.0.{n}.1")
    assert (await auth.login("a@site.com", client="198.51.0.9")).outcome == "throttled", "it is a stranger's again"


async def test_unknown_accounts_are_throttled_like_real_ones(auth):
    outcomes = [(await auth.login("nobody@nowhere.test", f"wrong {n}")).outcome for n in range(11)]
    assert outcomes == ["refused"] * 10 + ["throttled"]


@pytest.mark.parametrize("settings", [{"login_failures_per_address": 3}], indirect=True)
async def test_failures_are_counted_by_address_an_ipv6_network_as_one(auth):
    await auth.make("a@site.com")
    for n in range(3):
        await auth.login(f"u{n}@site.com", "wrong", client=f"2001:db8::{n}")
    assert (await auth.login("a@site.com", client="2001:db8::ffff")).outcome == "throttled"
    assert (await auth.login("a@site.com", client="2001:db8:0:1::1")).outcome == "ok"
    for n in range(3):
        await auth.login(f"u{n}@site.com", "wrong", client="::ffff:192.0.2.50")
    assert (await auth.login("a@site.com", client="192.0.2.50")).outcome == "throttled"


@pytest.mark.parametrize("settings", [{"limit_exempt_networks": "192.0.2.0/24"}], indirect=True)
async def test_exempt_clients_are_neither_counted_nor_refused_but_p4_holds(auth):
    await auth.make("a@site.com")
    for n in range(15):
        assert (await auth.login("a@site.com", f"wrong {n}")).outcome == "refused"
    assert await auth.pool.fetchval("select count(*) from auth.login_failures") == 0
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "ok"
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "too_soon"


async def test_a_list_cannot_guess_past_the_limit(auth):
    await auth.make("a@site.com")
    guesses = [wire.Login(new_id(), "imap", "a@site.com", f"guess {n}", "192.0.2.7") for n in range(50)]
    outcomes = [answer.outcome for answer in await auth.frontend.logins(guesses)]
    assert outcomes == ["refused"] * 10 + ["throttled"] * 40


async def test_many_connections_with_the_same_right_password_share_one_hash(auth):
    await auth.make("a@site.com")
    before = auth.hasher.computed
    tries = [wire.Login(new_id(), "imap", "a@site.com", "correct horse", "192.0.2.7") for _ in range(50)]
    assert {answer.outcome for answer in await auth.frontend.logins(tries)} == {"ok"}
    assert auth.hasher.computed - before == 1


@pytest.mark.parametrize("settings", [{"hash_queue": 3}], indirect=True)
async def test_a_full_hash_queue_is_busy_and_remembers_nothing(auth):
    for n in range(6):
        await auth.make(f"u{n}@site.com")
    tries = [wire.Login(new_id(), "imap", f"u{n}@site.com", "correct horse", "192.0.2.7") for n in range(6)]
    outcomes = [answer.outcome for answer in await auth.frontend.logins(tries)]
    assert outcomes == ["ok"] * 3 + ["busy"] * 3
    assert [answer.outcome for answer in await auth.frontend.logins(tries)] == ["ok"] * 6


async def test_sessions_end_with_a_password_change_a_disabling_and_a_removal(auth):
    ids = [await auth.make(f"{name}@site.com") for name in "abcd"]
    questions = [wire.SessionQuestion(box, 1) for box in ids] + [wire.SessionQuestion(new_id(), 1)]
    assert await auth.frontend.sessions(questions) == [True] * 4 + [False]
    await auth.admin.set_password("a@site.com", "new")
    await auth.admin.disable_mailbox("b@site.com")
    await auth.admin.disable_mailbox("c@site.com")
    await auth.admin.enable_mailbox("c@site.com")
    assert await auth.gateway.sessions(questions) == [False, False, False, True, False]


async def test_a_database_that_is_away_is_unavailable_and_recovers(auth, postgres, database):
    await auth.make("a@site.com")
    name = urlsplit(database).path[1:]
    postgres.execute(f'alter database "{name}" allow_connections false')
    postgres.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
    with pytest.raises(Unavailable):
        await auth.login("a@site.com")
    with pytest.raises(Unavailable):
        await auth.rcpt("a@site.com")
    postgres.execute(f'alter database "{name}" allow_connections true')
    assert (await auth.login("a@site.com")).outcome == "ok"
