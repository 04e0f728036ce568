"""Our own bounces are signed with the HELO domain's keys as they leave, and leave unsigned while auth is away (decision 94)."""

from functools import partial

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from auth_api.wire import DkimSigner
from mailauth.dkim import keys
from queue_worker.couriers import signatures
from queue_worker.models import Outcome

RSA = rsa.generate_private_key(65537, 2048)
KEYS = {"r1": RSA, "e1": ed25519.Ed25519PrivateKey.generate()}
LATER = {"r2": rsa.generate_private_key(65537, 2048)}


def signers(named):
    return [
        (DkimSigner("mx.here.test", name, keys.algorithm_of(key)), partial(keys.sign, key))
        for name, key in named.items()
    ]


def verified(message: bytes, named) -> list[bool]:
    """Of each signature of a message, whether dkimpy verifies it."""
    records = {f"{name}._domainkey.mx.here.test.": keys.record_of(key).encode() for name, key in (KEYS | LATER).items()}
    whole = dkim.DKIM(message)
    return [whole.verify(at, dnsfunc=lambda name, timeout=5: records[name.decode()]) for at in range(len(named))]


@pytest.fixture
def refusing(world):
    world.sink.says = lambda address: None if address == "a@far.test" else (Outcome.failed, "5.1.1", "550 no\xfc")
    return world


async def bounced(world, worker=None, **more):
    await world.submit(world.message("b@far.test", **more), worker=worker)
    await world.work(worker)
    return world.sink.got.pop().body


async def test_a_bounce_is_signed_by_each_key(refusing):
    refusing.auth.bounce_keys = signers(KEYS)
    message = await bounced(refusing, body=b"Subject: x\r\n\r\n\xff 8 bit  \r\n\r\n\r\n")
    assert verified(message, KEYS) == [True, True]
    assert message.count(b"\r\nDKIM-Signature:") == 1 and b"d=mx.here.test;" in message


async def test_keys_that_were_replaced_since_the_last_bounce(refusing):
    worker = refusing.worker()
    refusing.auth.bounce_keys = signers(KEYS)
    await bounced(refusing, worker)
    refusing.auth.bounce_keys = signers(LATER)
    message = await bounced(refusing, worker)
    assert verified(message, LATER) == [True] and b"s=r2;" in message


async def test_other_mail_and_bounces_to_mailboxes_are_not_signed(refusing):
    refusing.auth.bounce_keys = signers(KEYS)
    refusing.sink.says = lambda address: None
    message = await bounced(refusing)
    assert b"DKIM-Signature" not in message


async def test_a_bounce_is_not_lost_while_auth_is_away(refusing, monkeypatch):
    monkeypatch.setattr(signatures, "REST_SECONDS", 0.0)
    worker = refusing.worker()
    refusing.auth.bounce_keys = signers(KEYS)
    refusing.auth.away = True
    assert (await bounced(refusing, worker)).startswith(b"From: Mail Delivery System")
    refusing.auth.away = False
    assert (await bounced(refusing, worker)).startswith(b"DKIM-Signature: ")


async def test_while_auth_is_away_or_has_no_keys_it_is_not_asked_for_each_bounce(refusing, monkeypatch):
    asked = []
    answer = refusing.auth.bounce_signatures

    async def counted(items, *, timeout=None):
        asked.append(len(items))
        return await answer(items, timeout=timeout)

    monkeypatch.setattr(refusing.auth, "bounce_signatures", counted)
    worker = refusing.worker()
    for _ in range(3):
        assert b"DKIM-Signature" not in await bounced(refusing, worker)
    assert asked == [1]
