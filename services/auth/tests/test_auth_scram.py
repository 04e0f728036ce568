"""SCRAM-SHA-256: offers that reveal nothing, verifiers, and the one path of all logins (docs/decisions/0061)."""

import asyncio
import base64
import hmac
import os
from datetime import timedelta

import pytest
from msgspec import structs
from scramp import ScramClient

from auth.login import names
from auth.login.passwords import HashQueue, Passwords
from auth.maintenance import PERIOD, Maintenance
from auth.parts import assemble
from auth.storage.names import SCHEMA
from auth_api import wire
from auth_api.logins import LoginClient
from mailkit.errors import Forbidden
from mailkit.ids import new_id
from mailkit.mail.sasl import Exchange
from mailkit.mail.scram import NAME, Proof
from mailkit.postgres.singleton import Singleton

PASSWORD = "correct horse"
ASKED = wire.ScramQuestion("a@site.com", "nonce")
ON = {"scram": "learn", "scram_iterations": 4096}


@pytest.fixture
def settings(request, settings):
    return settings.model_copy(update=getattr(request, "param", ON))


async def proof(auth, login="a@site.com", password=PASSWORD, *, smtp=False) -> tuple[Proof, ScramClient]:
    """An exchange of scramp's client up to its proof."""
    client = ScramClient([NAME], login, password)
    steps = [client.get_client_first]

    async def challenge(text: bytes) -> bytes:
        if len(steps) == 1 and text:
            client.set_server_first(base64.b64decode(text).decode())
            steps.append(client.get_client_final)
        return base64.b64encode(steps[-1]().encode())

    edge = LoginClient(auth.gateway if smtp else auth.frontend, with_scram=True)
    found = await edge.mechanisms[NAME](Exchange(b"", challenge))
    assert isinstance(found, Proof)
    return found, client


def question(given: Proof, *, protocol="imap", client="192.0.2.7", operation=None) -> wire.ScramLogin:
    return wire.ScramLogin(
        operation or new_id(),
        protocol,
        given.user,
        client,
        given.client_first,
        given.client_final,
        given.nonce,
        given.proof,
    )


async def login(auth, name="a@site.com", password=PASSWORD, *, protocol="imap", client="192.0.2.7") -> wire.LoginAnswer:
    given, scramp = await proof(auth, name, password, smtp=protocol == "smtp")
    caller = auth.gateway if protocol == "smtp" else auth.frontend
    (answer,) = await caller.scram_logins([question(given, protocol=protocol, client=client)])
    if answer.outcome == "ok":
        scramp.set_server_final(f"v={base64.b64encode(answer.server_signature).decode()}")  # raises for a wrong one
    else:
        assert answer.server_signature == b""
    return answer


async def kept(auth) -> int:
    return await auth.pool.fetchval("select count(*) from auth.scram_verifiers")


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
async def test_a_verifier_is_made_when_the_password_is_set(auth, protocol):
    box = await auth.make("a@site.com")
    before = auth.hasher.computed
    answer = await login(auth, "A%Site.com", protocol=protocol)
    assert (answer.outcome, answer.mailbox_id, answer.address) == ("ok", box, "a@site.com")
    assert (answer.credential_version, answer.quota_limit, len(answer.proof)) == (
        1,
        1024**3,
        44,
    )
    assert auth.hasher.computed == before, "argon2 has nothing to do with it"
    await auth.admin.set_password("a@site.com", "another one")
    assert (await login(auth)).outcome == "refused"
    assert (await login(auth, password="another one")).credential_version == 2


async def test_an_old_account_gets_one_at_its_next_login_with_the_password(auth):
    await auth.make("a@site.com")
    await auth.pool.execute("delete from auth.scram_verifiers")
    assert (await login(auth)).outcome == "refused"
    assert (await auth.login("a@site.com", "wrong")).outcome == "refused" and await kept(auth) == 0
    answers = await asyncio.gather(*(auth.login("a@site.com") for _ in range(5)))
    assert {answer.outcome for answer in answers} == {"ok"} and await kept(auth) == 1
    assert (await login(auth)).outcome == "ok"
    # the password is in the cache now, and a verifier is made all the same
    await auth.pool.execute("delete from auth.scram_verifiers")
    assert (await auth.login("a@site.com")).outcome == "ok"
    assert (await login(auth)).outcome == "ok"


async def test_a_verifier_is_of_one_password_only(auth):
    """An old pod changes the password and knows no verifiers."""
    await auth.make("a@site.com")
    await auth.pool.execute("update auth.mailboxes set credential_version = 2")
    assert (await login(auth)).outcome == "refused"
    assert (await auth.login("a@site.com")).outcome == "ok"
    assert (await login(auth)).outcome == "ok"


async def test_disabled_and_passwordless_accounts(auth):
    await auth.make("a@site.com")
    await auth.admin.disable_mailbox("a@site.com")
    assert (await login(auth)).outcome == "refused"
    await auth.make("b@site.com", None)
    assert (await login(auth, "b@site.com", "")).outcome == "refused"
    await auth.admin.disable_mailbox("a@site.com", removal=True)
    await auth.admin.delete_mailbox("a@site.com")
    assert await kept(auth) == 0


async def test_an_offer_is_the_same_for_accounts_that_are_not_there(auth):
    await auth.make("a@site.com")

    async def offers(*names: str) -> list[wire.ScramOffer]:
        return await auth.frontend.scram_offers([wire.ScramQuestion(name, "nonce") for name in names])

    names = ("a@site.com", "A%SITE.com", "nobody@site.com", "nobody@nowhere.test", "", "x" * 5000)
    first = await offers(*names)
    assert {(len(one.salt), one.iterations, len(one.nonce)) for one in first} == {(16, 4096, 52)}
    assert len({one.nonce for one in first}) == len(names)
    assert len({one.salt for one in first}) == len(names) - 1, "one for both forms of a name"
    await auth.admin.set_password("a@site.com", "another one")
    await auth.admin.disable_mailbox("a@site.com")
    assert [one.salt for one in await offers(*names)] == [one.salt for one in first], "steady, whatever happens"


async def test_unknown_users_and_wrong_passwords_get_one_answer(auth):
    await auth.make("a@site.com")
    for name, password in [("a@site.com", "wrong"), ("nobody@site.com", PASSWORD), ("nobody@nowhere.test", "x")]:
        answer = await login(auth, name, password, client=f"198.51.100.{len(name)}")
        assert structs.replace(answer, delay=0.0) == wire.LoginAnswer("refused")


async def test_a_proof_is_of_one_exchange(auth):
    await auth.make("a@site.com")
    await auth.make("b@site.com")
    given, _ = await proof(auth)
    sealed = given.nonce
    for change in (
        {"nonce": sealed[:-1] + ("A" if sealed[-1] != "A" else "B")},
        {"nonce": "x" + sealed},
        {"nonce": base64.b64encode(os.urandom(39)).decode()},
        {"nonce": ""},
        {"login": "b@site.com"},
        {"login": "nobody@site.com"},
        {"client_first": given.client_first + ",x=y"},
        {"client_final": "c=eSws,r=" + sealed},
        {"proof": given.proof + b"x"},
        {"proof": b""},
    ):
        asked = structs.replace(question(given, client=None), **change)
        (answer,) = await auth.frontend.scram_logins([asked])
        assert answer.outcome == "refused", change
        await auth.pool.execute("delete from auth.login_failures")
    assert (await auth.frontend.scram_logins([question(given)]))[0].outcome == "ok"


async def test_a_nonce_runs_out(auth):
    await auth.make("a@site.com")
    given, _ = await proof(auth)
    auth.pass_time(599)
    assert (await auth.frontend.scram_logins([question(given)]))[0].outcome == "ok"
    auth.pass_time(1)
    assert (await auth.frontend.scram_logins([question(given)]))[0].outcome == "refused"
    auth.pass_time(-1200)
    assert (await auth.frontend.scram_logins([question(given)]))[0].outcome == "refused"


async def test_the_two_steps_of_an_exchange_may_reach_different_replicas(auth, settings):
    await auth.make("a@site.com")
    queue = HashQueue(1)
    other = assemble(settings, auth.pool, auth.questions, auth.clock, Passwords(auth.hasher), queue)
    try:
        given, _ = await proof(auth)
        (answer,) = await other.logins.answer([question(given)])
        assert answer.outcome == "ok" and answer.server_signature
        here, there = await auth.frontend.scram_offers([ASKED]), await other.scram.offers([ASKED])
        assert here[0].salt == there[0].salt
    finally:
        queue.close()


async def test_unknown_disabled_and_wrong_cost_the_same(auth, settings, monkeypatch):
    """The computations of the second step are counted; the first reads no row, so that there is nothing to compare."""
    for address in ("a@site.com", "off@site.com", "new@site.com"):
        await auth.make(address)
    await auth.admin.disable_mailbox("off@site.com")
    await auth.pool.execute(
        "delete from auth.scram_verifiers where mailbox_id = (select id from auth.mailboxes where address = 'new@site.com')"
    )
    queue = HashQueue(1)
    here = assemble(settings, auth.pool, auth.questions, auth.clock, Passwords(auth.hasher), queue)
    asked = [
        question((await proof(auth, name, password))[0])
        for name, password in [
            ("a@site.com", "wrong"),
            ("off@site.com", PASSWORD),
            ("new@site.com", PASSWORD),
            ("nobody@site.com", PASSWORD),
            ("nobody@nowhere.test", ""),
        ]
    ]
    await here.scram.ready()
    made, digest = [0], hmac.digest

    def counted(*given):
        made[0] += 1
        return digest(*given)

    monkeypatch.setattr(hmac, "digest", counted)
    costs = set()
    for one in asked:
        before, hashes = made[0], auth.hasher.computed
        assert [answer.outcome for answer in await here.logins.answer([one])] == ["refused"]
        costs.add((made[0] - before, auth.hasher.computed - hashes))
    queue.close()
    assert len(costs) == 1 and costs.pop()[1] == 0


def test_long_names_are_not_prepared(monkeypatch):
    """SASLprep takes some microseconds for a character, on the event loop."""
    prepared = []
    monkeypatch.setattr(names, "saslprep", lambda text: prepared.append(len(text)) or text)
    for length in (10, 254, 320, 321, 100_000):
        assert len(names.account_name("\u00fc" * length)) <= 320
    assert prepared == [10, 254, 320]


async def test_p4_counts_once_for_all_mechanisms(auth):
    await auth.make("a@site.com")
    assert (await login(auth, protocol="pop3")).outcome == "ok"
    assert (await login(auth, protocol="pop3")).outcome == "too_soon"
    assert (await auth.login("a@site.com", protocol="pop3")).outcome == "too_soon"
    assert (await login(auth, protocol="imap")).outcome == "ok"


async def test_a_login_gives_a_grant_by_pop3_and_imap_only(auth):
    await auth.make("a@site.com")
    await login(auth, protocol="smtp", client="198.51.100.1")
    await login(auth, protocol="imap", client="198.51.100.2")
    assert [grant["address"] for grant in await auth.admin.grants()] == ["198.51.100.2"]


async def test_wrong_proofs_are_counted_and_slowed_as_wrong_passwords_are(auth):
    await auth.make("a@site.com")
    answers = [await login(auth, password=f"wrong {n}") for n in range(9)]
    answers += [await auth.login("a@site.com", "wrong"), await login(auth)]
    assert [answer.delay for answer in answers] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 0]
    assert answers[-1].outcome == "throttled", "a right proof too"
    auth.pass_time(601)
    assert (await login(auth)).outcome == "ok"
    assert (await login(auth, password="wrong")).outcome == "refused"
    assert (await login(auth)).outcome == "ok"
    assert await auth.pool.fetchval("select failures from auth.login_failures where kind = 'network'") == 0, "set back"


async def test_guesses_in_one_list_get_no_further_than_the_limit(auth):
    await auth.make("a@site.com")
    guesses = [question((await proof(auth, password=f"guess {n}"))[0]) for n in range(15)]
    right = question((await proof(auth))[0])
    answers = await auth.frontend.scram_logins([*guesses, right])
    assert [answer.outcome for answer in answers] == ["refused"] * 10 + ["throttled"] * 6
    auth.pass_time(601)
    assert (await login(auth)).outcome == "ok", "nothing is left of what was being checked"


async def test_ten_connections_at_once_are_no_guesses(auth):
    await auth.make("a@site.com")
    asked = [question((await proof(auth))[0]) for _ in range(20)]
    assert {(answer.outcome, answer.delay) for answer in await auth.frontend.scram_logins(asked)} == {("ok", 0)}


async def test_a_repeated_operation_gets_its_first_answer_and_its_signature(auth):
    await auth.make("a@site.com")
    asked = question((await proof(auth))[0], protocol="pop3")
    (first,), (again,) = await auth.frontend.scram_logins([asked]), await auth.frontend.scram_logins([asked])
    assert (first.outcome, again.outcome) == ("ok", "ok")
    assert first.server_signature == again.server_signature and first.server_signature


async def test_a_caller_logs_in_by_its_own_protocols(auth):
    given, _ = await proof(auth)
    with pytest.raises(Forbidden):
        await auth.frontend.scram_logins([question(given, protocol="smtp")])
    with pytest.raises(Forbidden):
        await auth.gateway.scram_logins([question(given, protocol="imap")])


async def test_passwords_are_prepared(auth):
    await auth.make("a@site.com", "gr\u00fc\u00df\u00a0\u2168")
    assert (await login(auth, password="gru\u0308\u00df IX")).outcome == "ok"
    await auth.make("b@site.com", "\U0001f600")  # not in Unicode 3.2: no verifier, and the password works
    assert (await auth.login("b@site.com", "\U0001f600")).outcome == "ok"
    assert (await auth.pool.fetchval("select count(*) from auth.scram_verifiers")) == 1


@pytest.mark.parametrize("settings", [{"scram": "none"}], indirect=True)
async def test_switched_off_nothing_is_kept_and_proofs_are_answered_temporarily(auth, settings):
    await auth.make("a@site.com")
    assert (await auth.login("a@site.com")).outcome == "ok"
    assert await kept(auth) == 0
    assert (await login(auth)).outcome == "busy", "a service at the edge is at `offer`, which is about to be changed"
    assert await auth.pool.fetchval("select count(*) from auth.login_failures") == 0


async def test_switched_off_again_the_verifiers_are_removed(auth):
    await auth.make("a@site.com")
    lease = Singleton(auth.pool, auth.clock, new_id(), SCHEMA, "maintain", period=PERIOD)
    auth.pass_time(1)
    assert (
        "scram_verifiers" not in await Maintenance(auth.clock, timedelta(seconds=600), lease, keep_verifiers=True).run()
    )
    assert await kept(auth) == 1
    off = Maintenance(auth.clock, timedelta(seconds=600), lease, keep_verifiers=False)
    assert (await off.run())["scram_verifiers"] == 1
    assert await kept(auth) == 0
