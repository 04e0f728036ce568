"""Proofs of login: who gets one, for what it is exchanged, when it is over (docs/decisions/0040)."""

import pytest

from auth_api import wire
from mailkit.errors import Forbidden, Unproven
from mailkit.ids import new_id
from mailkit.rpc.proof import LIFE, RENEWABLE, ProofKeys

KEYS = ProofKeys([b"k" * 32])


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
async def test_a_login_is_answered_with_a_proof_for_its_mailbox(auth, protocol):
    box = await auth.make("a@site.com")
    answer = await auth.login("a@site.com", protocol=protocol)
    now = auth.clock.timestamp()
    assert KEYS.check(box, answer.proof, now + LIFE - 1) == 1
    with pytest.raises(Unproven):
        KEYS.check(box, answer.proof, now + LIFE)
    assert (await auth.login("a@site.com", "wrong")).proof == b""


async def test_the_proof_of_a_login_by_smtp_opens_no_mailbox(auth):
    box = await auth.make("a@site.com")
    now = auth.clock.timestamp()
    proof = (await auth.login("a@site.com", protocol="smtp")).proof
    assert KEYS.for_sending().check(box, proof, now + LIFE - 1) == 1
    with pytest.raises(Unproven):
        KEYS.check(box, proof, now)
    auth.pass_time(LIFE * 0.6)
    (renewed,) = (await auth.gateway.recheck([wire.SessionQuestion(box, 1, proof)])).proofs
    assert KEYS.for_sending().check(box, renewed, now + LIFE) == 1, "for one of its kind"
    with pytest.raises(Unproven):
        KEYS.check(box, renewed, now)


async def test_a_repeated_operation_has_a_proof_too(auth):
    box, operation = await auth.make("a@site.com"), new_id()
    for _ in range(2):
        answer = await auth.login("a@site.com", protocol="pop3", operation=operation)
        assert KEYS.check(box, answer.proof, auth.clock.timestamp()) == 1


async def test_a_caller_logs_in_by_its_own_protocols_only(auth):
    """The gateway's token alone used to make OPEN-SMTP grants."""
    await auth.make("a@site.com")
    for caller, protocol in ((auth.gateway, "pop3"), (auth.gateway, "imap"), (auth.frontend, "smtp")):
        good = wire.Login(new_id(), "smtp" if caller is auth.gateway else "imap", "a@site.com", "x", None)
        item = wire.Login(new_id(), protocol, "a@site.com", "correct horse", "192.0.2.7")
        with pytest.raises(Forbidden, match="item 1"):
            await caller.logins([good, item])
    assert await auth.pool.fetchval("select count(*) from auth.grants") == 0
    assert await auth.pool.fetchval("select count(*) from auth.login_failures") == 0, "nothing was done"


async def test_only_a_good_proof_is_exchanged_for_a_new_one(auth):
    a, b = await auth.make("a@site.com"), await auth.make("b@site.com")
    proof = (await auth.login("a@site.com")).proof
    auth.pass_time(LIFE * 0.6)
    forged = ProofKeys([b"f" * 32]).sign(a, 1, auth.clock.timestamp() + 1)
    questions = [
        wire.SessionQuestion(a, 1, proof),
        wire.SessionQuestion(b, 1, proof),
        wire.SessionQuestion(a, 1, forged),
        wire.SessionQuestion(a, 1, b"x"),
        wire.SessionQuestion(a, 1),
    ]
    answer = await auth.frontend.recheck(questions)
    assert answer.items == [True, False, False, False, True]
    assert KEYS.check(a, answer.proofs[0], auth.clock.timestamp() + LIFE - 1) == 1
    assert answer.proofs[1:] == [b""] * 4
    await auth.admin.set_password("a@site.com", "another")
    again = [wire.SessionQuestion(a, version, answer.proofs[0]) for version in (1, 2)]
    auth.pass_time(LIFE * 0.6)
    assert (await auth.frontend.recheck(again)).items == [False, False], "of another credential version"


async def test_a_proof_outlives_an_outage_of_auth_for_an_hour(auth):
    box = await auth.make("a@site.com")
    question = wire.SessionQuestion(box, 1, (await auth.login("a@site.com")).proof)
    auth.pass_time(LIFE + RENEWABLE - 1)
    assert (await auth.frontend.recheck([question])).items == [True]
    auth.pass_time(1)
    assert (await auth.frontend.recheck([question])) == wire.SessionAnswers([False], proofs=[b""])
