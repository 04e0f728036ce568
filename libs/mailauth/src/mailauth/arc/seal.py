"""A further ARC set: its message signature, then its seal (RFC 8617 5.1). The keys may be elsewhere, as for DKIM."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from mailauth.arc.chain import MOST_SETS, ArcResult, seal_digests
from mailauth.dkim.sign import Signer, Unsigned, folded_names, names_to_sign
from mailauth.dkim.signature import SignedFields
from mailauth.header import HeaderField, fields

_STATUS = {"none": b"none", "pass": b"pass", "fail": b"fail"}


@dataclass(frozen=True, slots=True)
class Sealing:
    """A set that is being made. `signature`: the message signature, to be signed first."""

    signature: Unsigned
    _results: bytes
    _earlier: tuple[Sequence[HeaderField], ...]
    _status: bytes
    _instance: int
    _signer: Signer
    _now: float

    def seal(self, signature: bytes) -> Unsigned:
        """Return the seal, to be signed second; `signature` is that of the message signature's digest."""
        before = b"ARC-Seal: a=%s;\r\n\tb=" % self._signer.algorithm.encode()
        after = b"; cv=%s; d=%s; i=%d;\r\n\ts=%s; t=%d" % (
            self._status, self._signer.domain.encode("ascii"), self._instance, self._signer.selector.encode("ascii"), int(self._now),
        )  # fmt: skip
        own = [next(fields(each)) for each in (self._results, self.signature.field(signature), before + after)]
        *_, digest = seal_digests([*self._earlier, own])
        return Unsigned(digest, before, after, _fold=False)

    def fields(self, signature: bytes, seal: bytes) -> bytes:
        """Return the three fields with their line endings, to be put in front of the header."""
        return self.seal(signature).field(seal) + self.signature.field(signature) + self._results


def begin(
    header: bytes,
    hashed_body: bytes,
    chain: ArcResult,
    results: bytes,
    signer: Signer,
    *,
    now: float,
    names: Sequence[bytes] | None = None,
) -> Sealing | None:
    """Return the next set for a message; None if there must not be one.

    `chain`: the status of the message as it came. There is no further set after one that says that the chain had failed, after
    MOST_SETS, and where the chain cannot be read or was not validated for now. `results`: the payload of the
    Authentication-Results of this host, as `authentication_results.payload` makes it. `hashed_body`: of `dkim.sign.body_hash`.
    `names`: what is signed, in lower case; by default what `dkim.sign` signs.
    """
    status = _STATUS.get(chain.result)
    if status is None or chain.ended or len(chain.sets) >= MOST_SETS or (status == b"fail" and not chain.sets):
        return None
    instance = len(chain.sets) + 1
    found = list(fields(header))
    signed = names_to_sign(found) if names is None else list(names)
    before = b"ARC-Message-Signature: a=%s;\r\n\tb=" % signer.algorithm.encode()
    # " i=" with a space: dkimpy finds the field by it
    after = b";\r\n\tbh=%s; c=relaxed/relaxed;\r\n\td=%s;\r\n\th=%s; i=%d;\r\n\ts=%s; t=%d" % (
        base64.b64encode(hashed_body),
        signer.domain.encode("ascii"),
        folded_names(signed),
        instance,
        signer.selector.encode("ascii"),
        int(now),
    )
    digest = SignedFields(found).digest(signed, "relaxed", before + after)
    # a failed chain is sealed as if the new set were the only one (RFC 8617 5.1.2)
    earlier = () if status == b"fail" else tuple(each.fields for each in chain.sets)
    line = b"ARC-Authentication-Results: i=%d; %s\r\n" % (instance, results)
    return Sealing(Unsigned(digest, before, after, _fold=False), line, earlier, status, instance, signer, now)
