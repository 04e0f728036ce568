"""DKIM and From at the final dot: what is signed verifies, what need not be asked is not, and auth away is 451 (decisions 88, 89)."""

import asyncio
import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from msgspec import structs

from auth_api.wire import SignatureAnswer, SignatureQuestion
from mailauth.dkim import keys
from mailauth.dkim.verify import verify
from mailauth.header import split
from mailauth.testing import Zones
from mailkit.rpc.proof import LIFE, RENEWABLE
from tests.support.gateway import PROOF, Dialogue, Services, context, send

KEYS: dict[str, keys.PrivateKey] = {
    "ed": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65537, 2048),
}
ZONES = Zones({f"{name}._domainkey.here.test": {"TXT": [keys.record_of(key)]} for name, key in KEYS.items()})
HEADER = b"From: U <u@here.test>\r\nTo: x@far.test\r\nSubject: a\r\n\tb\r\n"


@pytest.fixture
def services() -> Services:
    made = Services()
    made.relay, made.keys = True, dict(KEYS)
    return made


async def results(message: bytes) -> list[tuple[str, str, str]]:
    header, body = split(message)
    found = await verify(header, [body], ZONES, now=time.time())
    return [(each.result, each.signature.domain, each.signature.selector) for each in found if each.signature]


@pytest.mark.parametrize(
    "body",
    [
        HEADER + b"\r\nhello \t world  \r\n\r\n\r\n",
        HEADER + b"Date: Mon, 30 Nov 2026 11:00:00 +0000\r\nMessage-ID: <a@b>\r\n\r\n",
        HEADER,
        HEADER + b"\r\n" + b"caf\xe9 \xff " * 40_000 + b"\r\n",
        "From: ü@here.test\r\nSubject: ü\r\n\r\nü\r\n".encode(),
    ],
    ids=["plain", "empty body", "header only", "large and 8-bit", "utf-8"],
)
async def test_what_is_handed_over_is_signed_with_each_key(services: Services, body: bytes) -> None:
    assert (await send(body + b".\r\n", context(services), sender=b"<u@here.test>")).startswith(b"250 ")
    (taken,) = services.taken
    assert taken.body.startswith(b"DKIM-Signature: ")
    assert taken.body.endswith(body)
    assert await results(taken.body) == [("pass", "here.test", "ed"), ("pass", "here.test", "rsa")]
    (asked,) = services.signatures_asked
    assert len(asked.address.encode()) < 20 and [len(each.octets) for each in asked.digests] == [32, 32], "hashes only"
    changed = taken.body.replace(b"Subject: ", b"Subject: not ", 1)
    assert {result for result, *_ in await results(changed)} == {"fail"}
    second = taken.body.replace(b"\r\nFrom: ", b"\r\nFrom: x@far.test\r\nFrom: ", 1)
    assert {result for result, *_ in await results(second)} == {"fail"}, "From is signed once more than it occurs"
    assert b" l=" not in taken.body.partition(b"Received:")[0]


async def test_a_domain_without_keys_and_rules_costs_no_question(services: Services) -> None:
    services.keys = {}
    body = HEADER + b"\r\nx\r\n.\r\n"
    assert (await send(body, context(services), sender=b"<U@Here.test>")).startswith(b"250 ")
    assert services.authors_asked == []
    assert services.taken[0].body.startswith(b"Received: ")
    services.from_rule = ""
    assert (await send(body, context(services), sender=b"<x@far.test>")).startswith(b"250 ")
    assert services.authors_asked == [], "an auth of the release before"
    services.from_rule = "none"
    services.refused_authors = {"u@here.test"}
    assert (
        await send(body, context(services), sender=b"<x@far.test>") == b"550 5.7.1 The address in From is not yours\r\n"
    )
    two = b"From: u@here.test\r\nFrom: x@far.test\r\n\r\n.\r\n"
    assert (await send(two, context(services), sender=b"<u@here.test>")).startswith(b"550 5.7.1 ")
    assert [each.readable for each in services.authors_asked] == [True, False]


async def test_mail_of_clients_without_a_right_is_neither_asked_about_nor_signed(services: Services) -> None:
    services.relay = False
    assert (await send(HEADER + b"\r\nx\r\n.\r\n", context(services), sender=b"<x@far.test>")).startswith(b"250 ")
    assert (services.authors_asked, services.signatures_asked) == ([], [])
    assert services.taken[0].body.startswith(b"Received: ")


async def test_without_auth_a_domain_that_signs_is_answered_451(services: Services) -> None:
    services.signing_away = True
    body = HEADER + b"\r\nx\r\n.\r\n"
    answer = await send(body, context(services), sender=b"<u@here.test>")
    assert answer == b"451 4.3.0 Temporary failure, try again later\r\n"
    assert services.taken == []


async def test_the_proof_of_the_login_goes_with_the_questions_and_is_renewed(services: Services) -> None:
    shared = context(services)
    box, now = services.auth.mailboxes["u@here.test"], [datetime(2026, 3, 1, tzinfo=UTC)]
    services.auth.now = lambda: now[0]
    talk = Dialogue(shared)
    await talk.say()
    await talk.say(b"EHLO client.test\r\n")
    assert (await talk.say(b"AUTH PLAIN AHUAcA==\r\n")).startswith(b"235 ")
    first = services.auth.proofs.for_sending().sign(box.id, 1, now[0].timestamp() + LIFE)
    assert talk.session.login is not None and talk.session.login.proof == PROOF
    talk.session.login = structs.replace(talk.session.login, mailbox_id=box.id, proof=first)

    async def message() -> bytes:
        await talk.say(b"MAIL FROM:<u@here.test>\r\n")
        await talk.say(b"RCPT TO:<u@here.test>\r\n")
        await talk.say(b"DATA\r\n")
        return await talk.say(HEADER + b"\r\nx\r\n.\r\n")

    assert (await message()).startswith(b"250 ")
    assert [services.authors_asked[0].proof, services.signatures_asked[0].proof] == [first, first]
    now[0] += timedelta(seconds=LIFE * 0.6)
    await shared.sessions.recheck(cast(Any, services.auth))
    assert (await message()).startswith(b"250 ")
    renewed = services.signatures_asked[1].proof
    assert services.auth.proofs.for_sending().check(box.id, renewed, now[0].timestamp() + LIFE - 1) == 1
    now[0] += timedelta(seconds=LIFE + RENEWABLE)
    await shared.sessions.recheck(cast(Any, services.auth))
    assert talk.session.login is not None and talk.session.login.proof == renewed, "the fake ends no session"
    box.enabled = False
    await shared.sessions.recheck(cast(Any, services.auth))
    assert talk.session.login is None
    assert (await talk.say()).startswith(b"421 4.7.0 ")


async def test_messages_of_one_moment_are_signed_in_one_list(services: Services) -> None:
    lists: list[int] = []
    shared = context(services)
    batch = shared.signatures._ask
    whole = services.signatures

    async def counted(items: Sequence[SignatureQuestion]) -> list[SignatureAnswer]:
        lists.append(len(items))
        return await whole(items)

    batch._send = counted
    body = HEADER + b"\r\nx\r\n.\r\n"
    answers = await asyncio.gather(*(send(body, shared, sender=b"<u@here.test>") for _ in range(10)))
    assert all(answer.startswith(b"250 ") for answer in answers)
    assert sum(lists) == 10 and len(lists) < 10


async def test_an_answer_about_from_is_remembered_for_a_second(services: Services) -> None:
    shared = context(services)
    for _ in range(3):
        await send(HEADER + b"\r\nx\r\n.\r\n", shared, sender=b"<u@here.test>")
    assert len(services.authors_asked) < 3


def test_the_signature_is_base64_in_lines(services: Services) -> None:
    asyncio.run(send(HEADER + b"\r\nx\r\n.\r\n", context(services), sender=b"<u@here.test>"))
    fields = services.taken[0].body.partition(b"Received: ")[0]
    assert max(map(len, fields.split(b"\r\n"))) <= 80
    for field in fields.split(b"DKIM-Signature: ")[1:]:
        base64.b64decode(b"".join(field.partition(b"\tb=")[2].split()), validate=True)
