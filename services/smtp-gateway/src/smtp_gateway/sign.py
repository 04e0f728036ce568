"""DKIM at the final dot: the hashes are made here, and auth, which holds the keys, signs them (docs/decisions/0088)."""

import asyncio
from collections.abc import Iterator, Sequence

from auth_api.wire import Digest, DkimSigner, LoginAnswer, SignatureAnswer, SignatureQuestion
from mailauth.canonical import PIECE
from mailauth.dkim import sign
from mailkit.errors import Unavailable
from mailkit.process.clock import Clock
from mailkit.rpc.batch import Batcher
from smtp_gateway import metrics

#: A larger body is hashed in a thread (octets): up to there it takes 5 ms at most.
ON_THE_LOOP = 256 * 1024


class Signatures:
    """Makes signature fields; the hashes of all sessions that wait are signed in lists."""

    def __init__(self, ask: Batcher[SignatureQuestion, SignatureAnswer], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock

    async def fields(
        self,
        added: bytes,
        header: bytes,
        message: bytes,
        address: str,
        signers: Sequence[DkimSigner],
        client_address: str | None,
        login: LoginAnswer | None,
    ) -> bytes:
        """Return the DKIM-Signature fields of a message, to be put in front of it.

        `added`: fields that will precede the message, of those that are signed; `header`: the message's own, with which it
        begins. `address`: the one in From by which auth judges whether the client may have these signatures. Raises
        Unavailable, also if auth no longer finds it so, or the proof of the login has run out while auth was away.
        """
        body = _pieces(message, len(header))
        if len(message) - len(header) > ON_THE_LOOP:
            hashed = await asyncio.to_thread(sign.body_hash, body)
        else:
            hashed = sign.body_hash(body)
        keys = [sign.Signer(each.domain, each.selector, each.algorithm) for each in signers]
        unsigned = sign.prepare(added + header, hashed, keys, now=self._clock.timestamp())
        digests = [Digest(key.selector, each.digest) for key, each in zip(keys, unsigned, strict=True)]
        box, proof = (login.mailbox_id, login.proof) if login else (None, b"")
        answer = await self._ask.ask(SignatureQuestion(address, client_address, box, digests, proof))
        if not all(answer.signatures) or len(answer.signatures) != len(digests):
            raise Unavailable("the keys or the rule of the domain have just changed, or the proof of login has run out")
        metrics.SIGNED.inc()
        return b"".join(each.field(made) for each, made in zip(unsigned, answer.signatures, strict=True))


def _pieces(message: bytes, at: int) -> Iterator[bytes]:
    """Yield the body of a message whose header ends at `at`, without the empty line between them."""
    if message.startswith(b"\r\n", at):
        at += 2
    for start in range(at, len(message), PIECE):
        yield message[start : start + PIECE]
