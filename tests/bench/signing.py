"""`make bench-sign`: processor time that DKIM adds to a message of 4 KB, beside the bare signatures and `openssl speed`."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailauth.dkim import keys
from mailauth.dkim.sign import Signer, body_hash, prepare
from mailauth.header import split
from mailkit.rpc.proof import ProofKeys

RSA, ED25519 = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
DIGEST = b"x" * 32
PROOFS, ACCOUNT = ProofKeys([b"k" * 32]).for_sending(), UUID(int=7)
PROOF = PROOFS.sign(ACCOUNT, 1, 600.0)
ROUNDS, EACH = 15, 40
MESSAGE = (
    b"From: Joe Example <joe@here.test>\r\nTo: Ann <ann@far.test>,\r\n  Bob <bob@far.test>\r\nCc: c@far.test\r\n"
    b"Subject: a subject of usual length for a message\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <0123456789abcdef@here.test>\r\nIn-Reply-To: <a@far.test>\r\nReferences: <a@far.test> <b@far.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + b"Some text of a message, in lines of usual length, again.\r\n"
    * 62
)


def step(*holders: keys.PrivateKey) -> bytes:
    """What the gateway and auth do for one message, without the question between them; by SMTP AUTH, whose proof auth checks."""
    PROOFS.check(ACCOUNT, PROOF, 0.0)
    header, body = split(MESSAGE)
    signers = [Signer("here.test", "pr-1", keys.algorithm_of(key)) for key in holders]
    unsigned = prepare(header, body_hash([body]), signers, now=1_700_000_000)
    return b"".join(each.field(keys.sign(key, each.digest)) for each, key in zip(unsigned, holders, strict=True))


def measured(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The least processor time of each (ms), taken in turns, so that a busy machine slows all alike."""
    least = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            started = time.process_time()
            for _ in range(EACH):
                work()
            least[name] = min(least[name], (time.process_time() - started) / EACH * 1000)
    return least


def main() -> None:
    found = measured(
        {
            "proof of login": lambda: PROOFS.check(ACCOUNT, PROOF, 0.0),
            "RSA-2048 alone": lambda: keys.sign(RSA, DIGEST),
            "RSA-2048, with hashes and field": lambda: step(RSA),
            "RSA-2048 and Ed25519 alone": lambda: (keys.sign(RSA, DIGEST), keys.sign(ED25519, DIGEST)),
            "RSA-2048 and Ed25519, with hashes and fields": lambda: step(ED25519, RSA),
        }
    )
    bare = 0.0
    for name, milliseconds in found.items():
        bare = milliseconds if name.endswith("alone") else bare
        print(f"{name:46} {milliseconds:.3f} ms" + (f"  {milliseconds / bare:.2f} x" if bare else ""))
    if shutil.which("openssl"):
        said = subprocess.run(["openssl", "speed", "-seconds", "1", "rsa2048"], capture_output=True, text=True).stdout
        if rate := re.search(r"rsa\s+2048 bits\s+(\S+)s", said):
            print(f"{'openssl speed, RSA-2048':46} {float(rate[1]) * 1000:.3f} ms")


if __name__ == "__main__":
    main()
