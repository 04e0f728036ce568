"""DKIM signatures of our own bounces, made by auth, which has the keys (docs/decisions/0094)."""

import asyncio
from collections.abc import Sequence

from auth_api.client import AuthClient
from auth_api.wire import BounceSignatureAnswer, BounceSignatureQuestion, Digest, DkimSigner
from mailauth.dkim.sign import Signer, body_hash, prepare
from mailauth.header import split
from mailkit.errors import PostriderError
from mailkit.process.clock import Clock
from mailkit.process.report import report
from mailkit.rpc.batch import Batcher
from queue_worker import metrics

#: How long a bounce waits for auth, and for how long auth is not asked after it did not answer or had no keys (seconds).
PATIENCE = 3.0
REST_SECONDS = 10.0
#: A larger message is hashed in a thread (octets): up to there it takes 5 ms at most.
ON_THE_LOOP = 256 * 1024


class BounceSignatures:
    """Makes signature fields; the hashes of all bounces that wait are signed in lists."""

    def __init__(self, auth: AuthClient, clock: Clock) -> None:
        self._auth = auth
        self._clock = clock
        self._ask: Batcher[BounceSignatureQuestion, BounceSignatureAnswer] = Batcher(self._send, patience=PATIENCE)
        self._signers: list[DkimSigner] = []
        self._not_before = 0.0

    async def fields(self, message: bytes) -> bytes:
        """Return the DKIM-Signature fields of a bounce, to be put in front of it; none if it has to leave without."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            metrics.BOUNCE_SIGNATURES.labels("none").inc()
            return b""
        try:
            fields = await self._fields(message)
        except PostriderError as error:
            report(error, "sign_bounce")
            metrics.BOUNCE_SIGNATURES.labels("away").inc()
            self._not_before = loop.time() + REST_SECONDS
            return b""
        metrics.BOUNCE_SIGNATURES.labels("signed" if fields else "none").inc()
        if not fields:
            self._not_before = loop.time() + REST_SECONDS
        return fields

    async def _fields(self, message: bytes) -> bytes:
        header, body = split(message)
        hashed: bytes | None = None
        for _ in range(3):  # without known keys it asks for them first; and they may just have been replaced
            keys = [Signer(each.domain, each.selector, each.algorithm) for each in self._signers]
            if keys and hashed is None:
                large = len(body) > ON_THE_LOOP
                hashed = await asyncio.to_thread(body_hash, [body]) if large else body_hash([body])
            unsigned = prepare(header, hashed or b"", keys, now=self._clock.timestamp())
            digests = [Digest(key.selector, each.digest) for key, each in zip(keys, unsigned, strict=True)]
            answer = await self._ask.ask(BounceSignatureQuestion(digests))
            current = answer.signers == self._signers
            self._signers = answer.signers
            if not self._signers:
                return b""
            if current and all(answer.signatures) and len(answer.signatures) == len(digests):
                return b"".join(each.field(made) for each, made in zip(unsigned, answer.signatures, strict=True))
        return b""

    async def _send(self, items: Sequence[BounceSignatureQuestion]) -> Sequence[BounceSignatureAnswer]:
        return await self._auth.bounce_signatures(items, timeout=PATIENCE)
