"""Verification of the signatures of a message (RFC 6376 6)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailauth.canonical import BodyHash, Form
from mailauth.dkim import keys
from mailauth.dkim.keys import BadKey
from mailauth.dkim.signature import Signature, SignedFields, parse
from mailauth.dns import Dns, DnsTrouble
from mailauth.header import HeaderField, fields
from mailauth.tags import BadTags

Result = Literal["pass", "fail", "temperror", "permerror"]

#: Signatures that are verified; further ones are ignored (RFC 6376 8.4).
MOST_SIGNATURES = 8
#: Seconds by which t= may be ahead of us.
SKEW = 3600
#: A larger body is hashed in a thread, in octets.
IN_THREAD = 256 * 1024

NAME = b"dkim-signature"
BodyDigests = dict[tuple[Form, int | None], tuple[bytes, int]]
"""Form and l= → the hash, and how many octets the whole body has in this form."""


@dataclass(frozen=True, slots=True)
class DkimResult:
    """The result of one signature and its cause.

    `signature` is None if the field could not be read. `partial`: l= leaves a part of the body unsigned, so that anybody could
    have added it; DMARC must not count it. `record` is the key record; `testing`: its t=y.
    """

    result: Result
    signature: Signature | None = None
    problem: str = ""
    record: str = ""
    partial: bool = False
    testing: bool = False


async def verify(header: bytes, body: Sequence[bytes], resolver: Dns, *, now: float) -> list[DkimResult]:
    """Return a result for each of the first MOST_SIGNATURES signatures, in the order of the header; [] for an unsigned message.

    `body`: its octets in pieces; `now`: seconds since 1970. A large body is hashed in a thread.
    """
    found = list(fields(header))
    signed = [each for each in found if each.name == NAME][:MOST_SIGNATURES]
    if not signed:
        return []
    parsed = [_parsed(each) for each in signed]
    wanted = [each for each in parsed if isinstance(each, Signature)]
    bodies = await hash_body(body, wanted)
    selected = SignedFields(found)
    results = [_result(each, bodies, selected, resolver, now) for each in parsed]
    if len(results) == 1:
        return [await results[0]]
    return await asyncio.gather(*results)  # a key that is slow to come delays no other one


async def _result(
    parsed: Signature | DkimResult, bodies: BodyDigests, selected: SignedFields, resolver: Dns, now: float
) -> DkimResult:
    return await check(parsed, bodies, selected, resolver, now) if isinstance(parsed, Signature) else parsed


def _parsed(field: HeaderField) -> Signature | DkimResult:
    try:
        return parse(field)
    except BadTags as error:
        return DkimResult("permerror", None, str(error))


async def hash_body(body: Sequence[bytes], signatures: Sequence[Signature]) -> BodyDigests:
    """Return the hashes of the body that `signatures` need, each form in one pass; in a thread if the body is large."""
    if sum(map(len, body)) > IN_THREAD:
        return await asyncio.to_thread(_hash_body, body, signatures)
    return _hash_body(body, signatures)


def _hash_body(body: Sequence[bytes], signatures: Sequence[Signature]) -> BodyDigests:
    lengths: dict[Form, set[int | None]] = defaultdict(set)
    for each in signatures:
        lengths[each.body_form].add(each.length)
    done: BodyDigests = {}
    for form, wanted in lengths.items():
        hashed = BodyHash(form, wanted)
        for piece in body:
            hashed.update(piece)
        hashed.finish()
        for length in wanted:
            done[form, length] = hashed.digest(length), hashed.size
    return done


async def check(
    signature: Signature, bodies: BodyDigests, selected: SignedFields, resolver: Dns, now: float
) -> DkimResult:
    """Return the result of one signature; the DNS is asked last, and not if the answer could not matter."""
    digest, size = bodies[signature.body_form, signature.length]
    if signature.length is not None and signature.length > size:
        return DkimResult("permerror", signature, "l= is larger than the body")
    partial = signature.length is not None and signature.length < size
    problem = _untimely(signature, now)
    if not problem and digest != signature.body_hash:
        problem = "the body was changed"
    if problem:
        return DkimResult("fail", signature, problem, partial=partial)
    try:
        found = await keys.fetch(resolver, signature.selector, signature.domain, signature.algorithm)
    except BadKey as error:
        return DkimResult("permerror", signature, str(error), partial=partial)
    except DnsTrouble as error:
        return DkimResult("temperror", signature, str(error) or "the DNS gave no answer", partial=partial)
    if found.strict and signature.identity_domain != signature.domain:
        return DkimResult("permerror", signature, "i= is not d=, as t=s demands", found.text, partial, found.testing)
    digest = selected.digest(signature.names, signature.header_form, signature.raw)
    good = keys.verifies(found.key, digest, signature.octets)
    problem = "" if good else "the header was changed, or another key has signed"
    return DkimResult("pass" if good else "fail", signature, problem, found.text, partial, found.testing)


def _untimely(signature: Signature, now: float) -> str:
    if signature.expires is not None and now > signature.expires:
        return "the signature has expired"
    if signature.time is not None and signature.time > now + SKEW:
        return "the signature is of the future"
    return ""
