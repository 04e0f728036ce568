"""The ARC sets of a header, and the validation of their chain (RFC 8617 5.2)."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mailauth import tags
from mailauth.canonical import relaxed_field
from mailauth.dkim import keys
from mailauth.dkim.keys import Algorithm, BadKey
from mailauth.dkim.signature import Signature, SignedFields, domain_of, parsed
from mailauth.dkim.verify import check, hash_body
from mailauth.dns import Dns, DnsTrouble
from mailauth.header import HeaderField, fields
from mailauth.tags import BadTags

Result = Literal["none", "pass", "fail", "temperror"]

#: Sets of a chain (RFC 8617 4.2.1).
MOST_SETS = 50

RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_NAMES = frozenset((RESULTS, MESSAGE, SEAL))


class BadChain(ValueError):
    """The sets are no chain; the message says why."""


@dataclass(frozen=True, slots=True)
class Seal:
    """An ARC-Seal. `status`: its cv=, "none", "pass" or "fail"."""

    raw: bytes
    status: str
    domain: str
    selector: str
    algorithm: Algorithm
    octets: bytes


@dataclass(frozen=True, slots=True)
class ArcSet:
    """The three fields of one instance, as they stand in the header; `message` and `seal` are what the last two say."""

    instance: int
    fields: tuple[HeaderField, HeaderField, HeaderField]
    message: Signature
    seal: Seal


@dataclass(frozen=True, slots=True)
class ArcResult:
    """The status of a chain and its cause. `sets`: from the first one to the last; empty if they are no chain.

    `ended` is the instance whose seal says that the chain had failed already (cv=fail). `partial`: l= of the last message signature
    leaves a part of the body unsigned, which anybody could have added; whoever trusts a sealer must not count it.
    """

    result: Result
    problem: str = ""
    sets: tuple[ArcSet, ...] = ()
    ended: int = 0
    partial: bool = False


async def verify(header: bytes, body: Sequence[bytes], resolver: Dns, *, now: float) -> ArcResult:
    """Return the status of a message's chain.

    Every seal is verified, and the last message signature, so a chain of n sets causes n + 1 questions at most. `body` in pieces; `now`
    in seconds since 1970.
    """
    found = list(fields(header))
    try:
        sets = read(found)
    except BadChain as error:
        return ArcResult("fail", str(error))
    if not sets:
        return ArcResult("none")
    for each in sets:
        if each.seal.status == "fail":
            problem = f"instance {each.instance} says that the chain had failed"
            return ArcResult("fail", problem, sets, each.instance)
        if each.seal.status != ("none" if each.instance == 1 else "pass"):
            return ArcResult("fail", f"instance {each.instance} has a wrong cv=", sets)
    last = sets[-1]
    bodies = await hash_body(body, [last.message])
    checked = await check(last.message, bodies, SignedFields(found), resolver, now)
    if checked.result != "pass":
        result: Result = "temperror" if checked.result == "temperror" else "fail"
        return ArcResult(result, f"message signature {last.instance}: {checked.problem}", sets)
    digests = list(seal_digests(each.fields for each in sets))
    for each, digest in zip(reversed(sets), reversed(digests), strict=True):
        try:
            key = await keys.fetch(resolver, each.seal.selector, each.seal.domain, each.seal.algorithm)
        except BadKey as error:
            return ArcResult("fail", f"seal {each.instance}: {error}", sets)
        except DnsTrouble as error:
            return ArcResult("temperror", f"seal {each.instance}: {error}", sets)
        if not keys.verifies(key.key, digest, each.seal.octets):
            return ArcResult("fail", f"seal {each.instance} does not verify", sets)
    return ArcResult("pass", "", sets, partial=checked.partial)


def read(found: Iterable[HeaderField]) -> tuple[ArcSet, ...]:
    """Return the sets of a header, from the first one to the last. Raises BadChain."""
    held: dict[int, dict[bytes, HeaderField]] = defaultdict(dict)
    for each in found:
        if each.name in _NAMES:
            instance = _instance(each)
            if each.name in held[instance]:
                raise BadChain(f"{each.name.decode()} is there twice in instance {instance}")
            held[instance][each.name] = each
    for n in range(1, len(held) + 1):
        if held.get(n, {}).keys() != _NAMES:
            raise BadChain(f"instance {n} is incomplete")
    return tuple(_set(n, held[n]) for n in range(1, len(held) + 1))


def _instance(field: HeaderField) -> int:
    """Return i= of a field. Raises BadChain."""
    try:
        if field.name == RESULTS:  # a tag list only as far as the first semicolon
            first, semicolon, _ = field.value.partition(b";")
            text = tags.parse(first)["i"] if semicolon else ""
        else:
            text = tags.parse(field.value)["i"]
        instance = tags.number(text, 2)
    except (BadTags, KeyError):
        raise BadChain(f"{field.name.decode()} has no instance") from None
    if not 1 <= instance <= MOST_SETS:
        raise BadChain(f"instance {instance} is not from 1 to {MOST_SETS}")
    return instance


def _set(instance: int, held: dict[bytes, HeaderField]) -> ArcSet:
    try:
        message = _message(held[MESSAGE])
    except BadTags as error:
        raise BadChain(f"message signature {instance}: {error}") from None
    try:
        seal = _seal(held[SEAL])
    except BadTags as error:
        raise BadChain(f"seal {instance}: {error}") from None
    return ArcSet(instance, (held[RESULTS], held[MESSAGE], held[SEAL]), message, seal)


def _message(field: HeaderField) -> Signature:
    found = tags.parse(field.value)
    tags.needed(found, "a", "b", "bh", "d", "h", "s")
    made = parsed(field.raw, found | {"c": found.get("c", "relaxed/relaxed")}, from_needed=False)
    if SEAL in made.names:
        raise BadTags("h= has ARC-Seal")
    return made


def _seal(field: HeaderField) -> Seal:
    found = tags.parse(field.value)
    tags.needed(found, "a", "b", "d", "s", "cv")
    if "h" in found:
        raise BadTags("h= is not allowed")
    if found["cv"] not in ("none", "pass", "fail"):
        raise BadTags("cv= is unknown")
    made = parsed(field.raw, found | {"h": "", "bh": ""}, from_needed=False)
    return Seal(field.raw, found["cv"], domain_of(found)[0], made.selector, made.algorithm, made.octets)


def seal_digests(sets: Iterable[Sequence[HeaderField]]) -> Iterator[bytes]:
    """Yield for each set the SHA-256 that its seal signs: all sets up to it in order, its own b= empty (RFC 8617 5.1.1)."""
    made = hashlib.sha256()
    for results, message, seal in sets:
        made.update(relaxed_field(results.raw) + b"\r\n" + relaxed_field(message.raw) + b"\r\n")
        own = made.copy()
        own.update(relaxed_field(tags.without_value(seal.raw, b"b")))
        yield own.digest()
        made.update(relaxed_field(seal.raw) + b"\r\n")
