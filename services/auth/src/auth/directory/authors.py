"""Answers at the final dot: may the client use this From, and who signs; and the signatures (docs/decisions/0088, 0089)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from auth import keys, metrics
from auth.addresses import parse_sender
from auth.directory.identity import Identities, Use
from auth.storage.dkim import DkimKeys
from auth_api.wire import (
    AuthorAnswer,
    AuthorQuestion,
    BounceSignatureAnswer,
    BounceSignatureQuestion,
    DkimSigner,
    SignatureAnswer,
    SignatureQuestion,
)
from mailkit.errors import BadRequest, Unproven
from mailkit.process.clock import Clock
from mailkit.rpc.proof import ProofKeys

#: Octets of the hash of a header (SHA-256).
DIGEST = 32


class Authors:
    """Answers lists of questions about From, in two statements."""

    def __init__(self, identities: Identities, store: DkimKeys) -> None:
        self._identities = identities
        self._store = store

    async def answer(self, items: Sequence[AuthorQuestion]) -> list[AuthorAnswer]:
        """Return one answer per question, in order. Raises Unavailable."""
        uses = [
            Use(item.addresses, item.client_address, item.login_mailbox, item.readable, item.simulated)
            for item in items
        ]
        judged = await self._identities.judge(uses, "From")
        wanted = {each.signing[0] for each in judged if each.signing}
        signers: defaultdict[str, list[DkimSigner]] = defaultdict(list)
        if wanted:
            for row in await self._store.signers(sorted(wanted)):
                signers[row["domain"]].append(DkimSigner(row["domain"], row["selector"], row["algorithm"]))
        return [
            AuthorAnswer(
                not each.refused,
                signers[each.signing[0]] if each.signing and item.readable and _may_be_signed(item) else [],
            )
            for item, each in zip(items, judged, strict=True)
        ]


class HashSigner:
    """Signs lists of hashes, each for a client that may use the address. Keys stay here."""

    def __init__(self, identities: Identities, store: DkimKeys, clock: Clock, proofs: ProofKeys) -> None:
        self._identities = identities
        self._store = store
        self._clock = clock
        self._proofs = proofs.for_sending()

    async def answer(self, items: Sequence[SignatureQuestion]) -> list[SignatureAnswer]:
        """Return one answer per question, in order. Raises Unavailable, BadRequest for what is no hash."""
        _require_digests(items)
        uses = [Use([item.address], item.client_address, self._proven(item)) for item in items]
        judged = await self._identities.judge(uses, "signature")
        wanted: list[tuple[str, str]] = []
        digests: list[bytes] = []
        for item, each in zip(items, judged, strict=True):
            domain = parse_sender(item.address).domain if each.signing else ""  # of no key
            wanted += [(domain, digest.selector) for digest in item.digests]
            digests += [digest.octets for digest in item.digests]
        held = await self._store.private_keys(wanted)
        made = iter(await asyncio.to_thread(_signed, held, digests))
        return [SignatureAnswer([next(made) for _ in item.digests]) for item in items]

    def _proven(self, item: SignatureQuestion) -> UUID | None:
        """Return the mailbox of the login if its proof is good: the gateway's word alone is not taken (docs/decisions/0111)."""
        if item.login_mailbox is None:
            return None
        try:
            self._proofs.check(item.login_mailbox, item.proof, self._clock.timestamp())
        except Unproven:
            return None
        return item.login_mailbox


class BounceSigner:
    """Signs lists of hashes of our own bounces, by the keys of the HELO domain and no other (docs/decisions/0094)."""

    def __init__(self, store: DkimKeys, helo_name: str) -> None:
        """`helo_name`: bounces are from it; the domain whose keys sign is it or the nearest one above it that has some."""
        labels = helo_name.lower().rstrip(".").split(".")
        self._domains = [".".join(labels[at:]) for at in range(len(labels) - 1)]
        self._store = store

    async def answer(self, items: Sequence[BounceSignatureQuestion]) -> list[BounceSignatureAnswer]:
        """Return one answer per question, in order. Raises Unavailable, BadRequest for what is no hash."""
        _require_digests(items)
        rows = await self._store.signers(self._domains)
        domain = max((row["domain"] for row in rows), key=len, default="")
        signers = [
            DkimSigner(row["domain"], row["selector"], row["algorithm"]) for row in rows if row["domain"] == domain
        ]
        digests = [digest for item in items for digest in item.digests]
        held = await self._store.private_keys([(domain, digest.selector) for digest in digests]) if digests else []
        made = iter(await asyncio.to_thread(_signed, held, [digest.octets for digest in digests]))
        return [BounceSignatureAnswer(signers, [next(made) for _ in item.digests]) for item in items]


def _may_be_signed(item: AuthorQuestion) -> bool:
    """Return False for a login without a proof, by a gateway of the release before: its mail leaves unsigned, not never."""
    return item.login_mailbox is None or item.simulated or bool(item.proof)


def _require_digests(items: Sequence[SignatureQuestion | BounceSignatureQuestion]) -> None:
    for n, item in enumerate(items):
        if any(len(each.octets) != DIGEST for each in item.digests):
            raise BadRequest(f"item {n}: a hash has {DIGEST} octets", items=(n,))


def _signed(held: Sequence[bytes | None], digests: Sequence[bytes]) -> list[bytes]:
    signatures = [keys.sign(key, digest) if key else b"" for key, digest in zip(held, digests, strict=True)]
    metrics.SIGNATURES.labels("made").inc(sum(map(bool, signatures)))
    metrics.SIGNATURES.labels("refused").inc(sum(not each for each in signatures))
    return signatures
