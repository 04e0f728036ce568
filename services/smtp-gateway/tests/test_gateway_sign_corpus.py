"""What the gateway's step signs, dkimpy verifies: a corpus of odd messages (POSTRIDER_TEST_DKIM_MESSAGES=2000: its long form)."""

import os

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from auth_api.wire import DkimSigner
from mailauth.dkim import keys
from mailkit.mail.header import header_of
from mailkit.process.clock import SystemClock
from mailkit.rpc.batch import Batcher
from smtp_gateway.sign import Signatures
from tests.support.dkim_corpus import corpus
from tests.support.gateway import Services

COUNT = int(os.environ.get("POSTRIDER_TEST_DKIM_MESSAGES", "40"))


async def test_every_signature_of_the_corpus_verifies_with_dkimpy() -> None:
    services = Services()
    services.keys = {"rsa": rsa.generate_private_key(65537, 2048), "ed": ed25519.Ed25519PrivateKey.generate()}
    records = {f"{name}._domainkey.here.test.": keys.record_of(key).encode() for name, key in services.keys.items()}
    signers = [DkimSigner("here.test", name, keys.algorithm_of(key)) for name, key in services.keys.items()]
    step = Signatures(Batcher(services.signatures), SystemClock())
    failed = []
    for n, message in enumerate(corpus(COUNT)):
        fields = await step.fields(b"", header_of(message), message, "joe@here.test", signers, None, None)
        whole = dkim.DKIM(fields + message)
        failed += [
            (n, at) for at in (0, 1) if not whole.verify(at, dnsfunc=lambda name, timeout=5: records[name.decode()])
        ]
    assert failed == []
