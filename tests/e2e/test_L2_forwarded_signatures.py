"""L2: what others signed still verifies after a forward (POSTRIDER_TEST_DKIM_MESSAGES=2000: its long form)."""

import os

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailauth.dkim import keys
from mailauth.dkim.sign import Signer, body_hash, prepare
from mailauth.header import split
from tests.support.clients import smtp
from tests.support.dkim_corpus import corpus
from tests.support.run import Run, wait_for
from tests.support.world import World

COUNT = int(os.environ.get("POSTRIDER_TEST_DKIM_MESSAGES", "40"))
KEYS = {"rsa": rsa.generate_private_key(65537, 2048), "ed": ed25519.Ed25519PrivateKey.generate()}
RECORDS = {f"{name}._domainkey.here.test.": keys.record_of(key).encode() for name, key in KEYS.items()}
#: Of one client, which has no right to relay: fewer than POSTRIDER_MESSAGES_PER_MINUTE.
AT_ONCE = 500


def signed(message: bytes) -> bytes:
    header, body = split(message)
    signers = [Signer("here.test", name, keys.algorithm_of(key)) for name, key in KEYS.items()]
    made = prepare(header, body_hash([body]), signers, now=1_700_000_000)
    return (
        b"".join(u.field(keys.sign(KEYS[s.selector], u.digest)) for u, s in zip(made, signers, strict=True)) + message
    )


def test_signatures_verify_after_a_forward(run: Run, world: World) -> None:
    domain, far, origin = run.domain(), world.remote(), world.remote()
    run.cli("forward", "add", f"out@{domain}", f"x@{far.domain}")
    sent = [signed(each) for each in corpus(COUNT)]
    for number, start in enumerate(range(0, COUNT, AT_ONCE)):
        with smtp(run, f"127.77.{number}.{100 + number}") as client:
            for message in sent[start : start + AT_ONCE]:
                client.sendmail(f"joe@{origin.domain}", [f"out@{domain}"], message, ["BODY=8BITMIME", "SMTPUTF8"])
        wait_for(lambda start=start: len(far.messages()) >= min(start + AT_ONCE, COUNT))
    arrived = [each.data for each in far.messages()]
    assert len(arrived) == COUNT and all(each.startswith(b"Delivered-To: out@") for each in arrived)
    failed = [
        (n, at)
        for n, message in enumerate(arrived)
        for at in (0, 1)
        if not dkim.DKIM(message).verify(at, dnsfunc=lambda name, timeout=5: RECORDS[name.decode()])
    ]
    assert failed == []
