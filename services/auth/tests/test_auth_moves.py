"""Domains that move in: whom mail and logins belong to, passwords that the old host checks, grants (docs/decisions/0126)."""

import asyncio

import pytest
import trustme

from auth import moves
from auth.login import old_hosts
from auth.storage import moves as rows
from auth_api.client import AuthClient
from auth_api.wire import Login, OldHost, SessionQuestion
from mailkit.errors import BadRequest, Conflict, NotFound
from mailkit.ids import new_id
from mailkit.testing.old_host import OldHostServer
from mailkit.testing.speed import patient, until

CA = trustme.CA()
CLIENT = "203.0.113.9"


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    CA.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def settings(settings, ca_file):
    return settings.model_copy(update={"old_host_ca_file": ca_file})


@pytest.fixture
async def old(auth, monkeypatch):
    """site.com with the mailbox a@ moves from a host that knows a@ and b@."""
    monkeypatch.setattr(moves, "KNOWN_SECONDS", 0.0)
    await auth.make("a@site.com", "of before")
    async with OldHostServer(CA, {"a@site.com": "secret", "b@site.com": "sécret"}) as host:
        await auth.admin.start_move("site.com", **servers(host), networks=["198.51.100.0/24"])
        yield host


def servers(host: OldHostServer):
    return {"imap": {"host": "localhost", "port": host.imap}, "pop3": {"host": "localhost", "port": host.pop3}}


async def log_in(auth, name, password, *, protocol="imap", client=CLIENT):
    question = Login(new_id(), protocol, name, password, client)
    caller = auth.gateway if protocol == "smtp" else auth.frontend
    (first,) = await caller.logins([question])
    assert first.outcome == "elsewhere", first
    (answer,) = await caller.old_host_logins([question])
    return answer


async def test_a_login_is_checked_by_the_old_host_and_gives_a_grant_here(auth, old, monkeypatch):
    monkeypatch.setattr(old_hosts, "_minute", lambda: 0)
    for protocol, port in (("imap", old.imap), ("pop3", old.pop3)):
        answer = await log_in(auth, "A%Site.com", "secret", protocol=protocol)
        assert (answer.outcome, answer.address, answer.proof) == ("ok", "a@site.com", b"")
        assert answer.old_host == OldHost("localhost", port)
    answer = await log_in(auth, "a@site.com", "secret", protocol="smtp")
    assert (answer.outcome, answer.old_host) == ("ok", None)
    assert old.logins == [("a@site.com", "secret")], "one question for a minute"
    right = (await auth.mail("a@site.com", client=CLIENT)).relay
    assert right is not None and right.address == "a@site.com"
    assert (await auth.rcpt("x@far.test", client=CLIENT)).account == right.mailbox_id


async def test_a_wrong_password_is_refused_and_counted(auth, old):
    said = [(await log_in(auth, "a@site.com", f"of before {n}")).outcome for n in range(10)]
    assert said == ["refused"] * 10
    (answer,) = await auth.frontend.logins([Login(new_id(), "imap", "a@site.com", "secret", CLIENT)])
    assert answer.outcome == "throttled"
    assert len(old.logins) == 10, "the old host is not asked beyond the limit"
    assert (await log_in(auth, "a@site.com", "of before", client="192.0.2.1")).outcome == "refused", "it is in charge"


async def test_the_mailbox_of_a_login_is_made_and_its_mail_stays_at_the_old_host(auth, old):
    await auth.admin.switch_move("site.com")
    assert (await auth.login("a@site.com", "of before")).outcome == "ok", "what is here is here"
    answer = await log_in(auth, "b@site.com", "sécret")
    assert answer.outcome == "ok"
    box = await auth.admin.mailbox("b@site.com")
    assert (box["has_password"], box["id"]) == (True, str(answer.mailbox_id))
    assert (await auth.admin.move("site.com"))["made_by_login"] == 1
    (target,) = (await auth.rcpt("b@site.com")).targets
    assert (target.address, target.mailbox_id) == ("b@site.com", None)
    assert (await log_in(auth, "b@site.com", "sécret")).old_host is not None
    await auth.admin.switch_move("site.com")
    answer = await auth.login("b@site.com", "sécret")
    assert (answer.outcome, answer.old_host) == ("ok", None), "the password is known here"
    assert (await auth.rcpt("b@site.com")).targets[0].mailbox_id == answer.mailbox_id


async def test_a_password_changed_at_the_old_host_is_taken_over(auth, old):
    before = await auth.admin.mailbox("a@site.com")
    answer = await log_in(auth, "a@site.com", "secret")
    assert answer.credential_version == before["credential_version"] + 1
    await auth.admin.switch_move("site.com")
    assert (await auth.login("a@site.com", "of before")).outcome == "refused"
    assert (await auth.login("a@site.com", "secret")).outcome == "ok"


async def test_who_gets_the_mail(auth, old):
    async def where(address, client=CLIENT):
        answer = await auth.rcpt(address, client=client)
        return answer.verdict, [target.mailbox_id is not None for target in answer.targets]

    await auth.admin.add_forward("team@other.org", ["a@site.com"]) if await auth.make("c@other.org") else None
    for address in ("a@site.com", "nobody@site.com", "postmaster@site.com"):
        assert await where(address) == ("accepted", [False]), address
        assert await where(address, "198.51.100.7") == ("moving", []), "the old host's own mail waits there"
    assert await where("team@other.org") == ("accepted", [False])
    await auth.admin.switch_move("site.com")
    assert await where("a@site.com") == ("accepted", [True])
    assert await where("a@site.com", "198.51.100.7") == ("accepted", [True])
    assert await where("nobody@site.com") == ("accepted", [False])
    assert await where("nobody@site.com", "198.51.100.7") == ("no_mailbox", [])
    assert await where("team@other.org") == ("accepted", [True])
    await auth.admin.back_move("site.com")
    assert await where("a@site.com") == ("accepted", [False])
    await auth.admin.switch_move("site.com")
    await auth.admin.end_move("site.com")
    assert await where("nobody@site.com") == ("no_mailbox", [])


async def test_a_switch_ends_sessions_of_both_kinds(auth, old):
    answer = await log_in(auth, "a@site.com", "secret")
    here = await auth.login("c@other.org") if await auth.make("c@other.org") else None
    asked = [SessionQuestion(each.mailbox_id, each.credential_version) for each in (answer, here)]
    assert await auth.frontend.sessions(asked) == [True, True]
    await auth.admin.switch_move("site.com")
    assert await auth.frontend.sessions(asked) == [False, True]
    answer = await auth.login("a@site.com", "secret")
    await auth.admin.back_move("site.com")
    assert await auth.frontend.sessions([SessionQuestion(answer.mailbox_id, answer.credential_version)]) == [False]


@pytest.mark.parametrize(
    "says", [b"", b"* BYE full\r\n", b"x" * 20_000, b"* OK hello\r\n" + b"* noise\r\n" * 200, b"* PREAUTH in\r\n"]
)
async def test_an_old_host_that_does_not_answer_is_no_wrong_password(auth, old, monkeypatch, says):
    monkeypatch.setattr(old_hosts, "CHECK_SECONDS", 1.0)
    old.says = says
    answer = await log_in(auth, "a@site.com", "secret")
    assert answer.outcome == "busy"
    old.says = None
    assert (await log_in(auth, "a@site.com", "secret")).outcome == "ok"


async def test_a_refusal_for_now_is_no_wrong_password(auth, old):
    old.refusal = b"[UNAVAILABLE] later"
    assert (await log_in(auth, "a@site.com", "wrong")).outcome == "busy"


async def test_a_certificate_of_another_authority_gets_no_password(auth, old):
    async with OldHostServer(trustme.CA(), {"a@site.com": "secret"}) as other:
        await auth.admin.start_move("site.com", **servers(other))
        assert (await log_in(auth, "a@site.com", "secret")).outcome == "busy"
        assert other.logins == []


async def test_logins_at_a_slow_old_host_are_bounded_and_delay_no_others(auth, old, monkeypatch):
    monkeypatch.setattr(old_hosts, "CHECK_SECONDS", patient(60))
    await auth.make("c@other.org")
    old.held = asyncio.Event()
    most = old_hosts.AT_ONCE + old_hosts.MOST_WAITING
    many = AuthClient(auth.url, "frontend-token", connections=most + 1)

    def ask(n):
        return many.old_host_logins([Login(new_id(), "imap", f"n{n}@site.com", "x", None)])

    waiting = [asyncio.create_task(ask(n)) for n in range(most)]
    await until(lambda: old.open == old_hosts.AT_ONCE)
    assert (await auth.login("c@other.org")).outcome == "ok"
    asked = auth.parts.logins._old_hosts._asked
    await until(lambda: asked.get("site.com", (None, 0))[1] == most)
    assert (await ask(most))[0].outcome == "busy"
    old.held.set()
    assert {(await task)[0].outcome for task in waiting} == {"refused"}
    assert asked == {}
    await many.aclose()


@pytest.mark.parametrize(
    "name", ["a@site.com\r\nz LOGOUT", "", 'q"uo\\te@site.com', "ä" * 30 + "@site.com", "a" * 5000 + "@site.com"]
)
async def test_names_and_passwords_are_no_commands(auth, old, name):
    for password in ("x\r\na LOGOUT", "", '\\" OK', "p" * 5000):
        question = Login(new_id(), "imap", name, password, None)
        (answer,) = await auth.frontend.logins([question])
        if answer.outcome == "elsewhere":
            (answer,) = await auth.frontend.old_host_logins([question])
        assert answer.outcome == "refused", (name, password)
    assert old.said == []


async def test_a_disabled_mailbox_is_refused_without_asking(auth, old):
    await auth.admin.disable_mailbox("a@site.com")
    assert (await auth.login("a@site.com", "secret")).outcome == "refused"
    assert old.logins == []


async def test_what_operators_are_told(auth, old, monkeypatch):
    with pytest.raises(NotFound, match="there is no domain nowhere.test"):
        await auth.admin.start_move("nowhere.test", **servers(old))
    with pytest.raises(BadRequest, match="name the old host's IMAP or POP3 server"):
        await auth.admin.start_move("site.com", imap=None, pop3=None)
    with pytest.raises(BadRequest):
        await auth.admin.start_move("site.com", **servers(old), networks=["nonsense"])
    with pytest.raises(Conflict, match="switch the domain first"):
        await auth.admin.end_move("site.com")
    await auth.admin.add_domain("alias.test", "site.com")
    with pytest.raises(Conflict, match="alias.test is an alias of site.com"):
        await auth.admin.start_move("alias.test", **servers(old))
    await auth.admin.add_domain("other.org")
    for verb in (auth.admin.switch_move, auth.admin.back_move, auth.admin.end_move, auth.admin.move):
        with pytest.raises(NotFound, match="other.org does not move"):
            await verb("other.org")
    monkeypatch.setattr(rows, "MOST", 1)
    with pytest.raises(Conflict, match="1 domains are moving already"):
        await auth.admin.start_move("other.org", **servers(old))
    assert [each["domain"] for each in await auth.admin.moves()] == ["site.com"]
    record = await auth.admin.move("site.com")
    assert (record["phase"], record["mailboxes"], record["networks"]) == ("old", 2, ["198.51.100.0/24"])
