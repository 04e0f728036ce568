"""Each case once on the real service and once on the fake that is shipped with the client."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec import structs

from auth_api import wire
from auth_api.fake import FakeAuth
from auth_api.logins import LoginClient
from mailkit.errors import Unavailable
from mailkit.ids import new_id
from mailkit.mail.sasl import Exchange
from mailkit.process.clock import ManualClock
from mailkit.rpc.proof import LIFE
from tests.support import scram

BOXES = ("a@site.com", "b@site.com", "c@other.org")


@dataclass
class Asked:
    """Either one: the verbs, the mailboxes' ids, and how time passes."""

    verbs: Any
    ids: dict[str, UUID]
    pass_time: Callable[[float], None]
    frontend: Any

    async def login(self, login: str, password: str = "secret", protocol: str = "imap") -> wire.LoginAnswer:
        question = wire.Login(new_id(), protocol, login, password, "192.0.2.7")  # type: ignore[arg-type]
        return (await self.frontend.logins([question]))[0]

    async def rcpt(self, address: str, sender: str = "", login: UUID | None = None) -> wire.RecipientAnswer:
        return (await self.verbs.recipients([wire.RecipientQuestion(address, sender, "192.0.2.7", login)]))[0]


@pytest.fixture(params=["real", "fake"])
async def asked(request, auth):
    if request.param == "real":
        ids = {address: await auth.make(address, "secret") for address in BOXES}
        await auth.admin.add_forward("list@site.com", ["a@site.com", "x@far.test"])
        await auth.admin.add_forward("round@site.com", ["round2@site.com"])
        await auth.admin.add_forward("round2@site.com", ["round@site.com"])
        await auth.admin.set_catchall("other.org", "forward", targets=["c@other.org"])
        await auth.admin.add_badmailfrom("@bad.test")
        await auth.admin.disable_mailbox("b@site.com")
        await auth.admin.set_identity("other.org", "enforce")
        return Asked(auth.gateway, ids, auth.pass_time, auth.frontend)
    from datetime import UTC, datetime, timedelta

    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    fake = FakeAuth(now=clock.now)
    ids = {address: fake.add_mailbox(address, "secret").id for address in BOXES}
    fake.forwards = {
        "list@site.com": (["a@site.com", "x@far.test"], False),
        "round@site.com": (["round2@site.com"], False),
        "round2@site.com": (["round@site.com"], False),
    }
    fake.catchall = {"other.org": ["c@other.org"]}
    fake.badmailfrom = {"@bad.test"}
    fake.mailboxes["b@site.com"].enabled = False
    fake.enforced = {"other.org"}

    def pass_time(seconds: float) -> None:
        clock.current += timedelta(seconds=seconds)

    return Asked(fake, ids, pass_time, fake)


async def test_logins(asked):
    answer = await asked.login("a%site.com")
    plain = wire.LoginAnswer("ok", asked.ids["a@site.com"], "a@site.com", 1, 1024**3, 1)
    assert structs.replace(answer, proof=b"") == plain and len(answer.proof) == 44
    smtp = wire.Login(new_id(), "smtp", "a@site.com", "secret", "192.0.2.7")
    (sending,) = await asked.verbs.logins([smtp])
    assert structs.replace(sending, proof=b"") == plain and len(sending.proof) == 44
    for login, password in [("a@site.com", "wrong"), ("b@site.com", "secret"), ("nobody@site.com", "x"), ("", "")]:
        assert structs.replace(await asked.login(login, password), delay=0.0) == wire.LoginAnswer("refused")
    assert (await asked.login("a@site.com", protocol="pop3")).outcome == "ok"
    asked.pass_time(20)
    again = await asked.login("a@site.com", protocol="pop3")
    assert (again.outcome, again.retry_after) == ("too_soon", 40)


@pytest.mark.parametrize("settings", [{"scram": "offer", "scram_iterations": 4096}], indirect=True)
async def test_logins_by_scram(asked):
    async def login(name: str, password: str, protocol: str = "imap") -> wire.LoginAnswer:
        client = scram.Client(name, password)

        async def challenge(text: bytes) -> bytes:
            return (client.final(text.decode()) if text else client.first()).encode()

        edge = LoginClient(asked.frontend, with_scram=True)
        given = await edge.mechanisms["SCRAM-SHA-256"](Exchange(b"", challenge))
        answer = await edge.ask(new_id(), protocol, given, "192.0.2.7")
        if answer.outcome == "ok":
            client.check(base64.b64encode(b"v=" + base64.b64encode(answer.server_signature)).decode())
        return answer

    answer = await login("a%site.com", "secret")
    plain = wire.LoginAnswer("ok", asked.ids["a@site.com"], "a@site.com", 1, 1024**3, 1)
    assert structs.replace(answer, proof=b"", server_signature=b"") == plain and len(answer.proof) == 44
    for name, password in [("a@site.com", "wrong"), ("b@site.com", "secret"), ("nobody@site.com", "x")]:
        assert structs.replace(await login(name, password), delay=0.0) == wire.LoginAnswer("refused")
    assert (await login("a@site.com", "secret", "pop3")).outcome == "ok"
    assert (await login("a@site.com", "secret", "pop3")).outcome == "too_soon"


async def test_a_repeated_operation(asked):
    question = wire.Login(new_id(), "pop3", "a@site.com", "secret", None)
    assert [answer.outcome for answer in await asked.frontend.logins([question, question])] == ["ok", "ok"]


async def test_a_check_that_came_to_nothing_starts_no_minute(asked):
    async def check(operation: UUID) -> str:
        return (await asked.frontend.logins([wire.Login(operation, "pop3", "a@site.com", "secret", None)]))[0].outcome

    first, second, third = new_id(), new_id(), new_id()
    assert await check(first) == "ok"
    assert await asked.frontend.undo_checks([first, new_id()]) == [True, False]
    assert await asked.frontend.undo_checks([first]) == [False], "once"
    asked.pass_time(1)
    assert await check(second) == "ok"
    assert await asked.frontend.undo_checks([first]) == [False], "a later check's minute is its own"
    assert await check(third) == "too_soon"
    assert await asked.frontend.undo_checks([third]) == [False]


async def test_whose_addresses_a_client_may_use(asked):
    """The rule of other.org: its addresses are its mailboxes' own, and they use no others."""
    a, c = asked.ids["a@site.com"], asked.ids["c@other.org"]
    for sender, login, rule, allowed in (
        ("a@site.com", a, "none", True),
        ("x@far.test", a, "none", True),
        ("c@other.org", a, "some", False),
        ("c@other.org", c, "some", True),
        ("x@far.test", c, "some", False),
        ("", c, "some", True),
    ):
        for simulated in (False, True):
            (answer,) = await asked.verbs.senders([wire.SenderQuestion(sender, None, login, simulated)])
            assert (answer.from_rule, answer.identity_allowed) == (rule, allowed), (sender, login)
    for addresses, login, allowed in (
        (["a@site.com"], a, True),
        (["a@site.com", "c@other.org"], a, False),
        (["c@other.org"], c, True),
        (["x@far.test"], c, False),
        ([], c, False),
    ):
        for simulated in (False, True):
            question = wire.AuthorQuestion(addresses, None, login, True, simulated)
            assert (await asked.verbs.authors([question]))[0].allowed == allowed, (addresses, login)


async def test_grants_and_senders(asked):
    async def mail(sender: str, client: str | None = "192.0.2.7", login: UUID | None = None) -> wire.SenderAnswer:
        return (await asked.verbs.senders([wire.SenderQuestion(sender, client, login)]))[0]

    assert await mail("x@site.com") == wire.SenderAnswer(False, True, None)
    assert await mail("x@BAD.test") == wire.SenderAnswer(True, False, None)
    assert await mail("x@site.com ") == wire.SenderAnswer(False, False, None)
    a, c = asked.ids["a@site.com"], asked.ids["c@other.org"]
    await asked.login("a@site.com")
    asked.pass_time(1)
    await asked.login("c@other.org")
    latest, own = (await mail("")).relay, (await mail("x@site.com", "::ffff:192.0.2.7")).relay
    assert latest == wire.RelayRight("grant", c, "c@other.org", latest.granted_at)
    assert own == wire.RelayRight("grant", a, "a@site.com", own.granted_at)
    assert latest.granted_at == pytest.approx(own.granted_at + 1, abs=0.9), "the time of the login that gave the grant"
    assert (await mail("", login=a)).relay == wire.RelayRight("auth", a, "a@site.com")
    assert (await mail("", login=asked.ids["b@site.com"], client=None)).relay is None
    asked.pass_time(3599)
    assert (await mail("x@site.com")).relay == latest
    asked.pass_time(1)
    assert (await mail("")).relay is None


async def test_recipients(asked):
    a, c = asked.ids["a@site.com"], asked.ids["c@other.org"]
    box = wire.Target("a@site.com", a, 1024**3, 1)
    assert await asked.rcpt("A@Site.com.") == wire.RecipientAnswer("accepted", [box])
    forwarded = msgspec.structs.replace(box, via="list@site.com")
    assert (await asked.rcpt("list@site.com")).targets == [forwarded, wire.Target("x@far.test", via="list@site.com")]
    assert [target.mailbox_id for target in (await asked.rcpt("any@other.org")).targets] == [c]
    for address, verdict in [
        ("nobody@site.com", "no_mailbox"),
        ("a%far.test@site.com", "no_mailbox"),
        ("@site.com:x@far.test", "not_relayed"),
        ("x@far.test", "not_relayed"),
        ("round@site.com", "loop"),
        ("nonsense", "bad_address"),
    ]:
        assert (await asked.rcpt(address)).verdict == verdict, address
    assert await asked.rcpt("X@far.test", login=a) == wire.RecipientAnswer("accepted", [wire.Target("X@far.test")], a)


async def test_sessions(asked):
    a, b = asked.ids["a@site.com"], asked.ids["b@site.com"]
    questions = [wire.SessionQuestion(a, 1), wire.SessionQuestion(a, 2), wire.SessionQuestion(b, 1)]
    assert await asked.verbs.sessions(questions) == [True, False, False]


@pytest.mark.parametrize("protocol", ["imap", "smtp"])
async def test_a_proof_is_renewed_when_half_its_life_is_over(asked, protocol):
    caller = asked.verbs if protocol == "smtp" else asked.frontend
    (answer,) = await caller.logins([wire.Login(new_id(), protocol, "a@site.com", "secret", "192.0.2.7")])
    question = wire.SessionQuestion(asked.ids["a@site.com"], 1, answer.proof)
    unproven = wire.SessionQuestion(asked.ids["a@site.com"], 1)
    asked.pass_time(LIFE / 2 - 1)
    assert await caller.recheck([question]) == wire.SessionAnswers([True], proofs=[b""])
    asked.pass_time(2)
    renewed = await caller.recheck([question, unproven])
    assert renewed.items == [True, True]
    assert renewed.proofs[0] > answer.proof and renewed.proofs[1] == b""


async def test_the_fake_can_be_away():
    fake = FakeAuth(away=True)
    with pytest.raises(Unavailable):
        await fake.sessions([])
