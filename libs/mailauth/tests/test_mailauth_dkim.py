"""DKIM: the RFCs' messages to the byte, what must not verify, and dkimpy on both sides."""

import asyncio
import base64
import hashlib
import random
from collections.abc import Callable
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailauth.canonical import PIECE, BodyHash, Form, canonical_field, relaxed_field
from mailauth.dkim import keys, sign, verify
from mailauth.dkim.keys import BadKey
from mailauth.dkim.sign import Signer
from mailauth.dkim.signature import SignedFields, parse
from mailauth.dkim.verify import DkimResult
from mailauth.header import fields, split
from mailauth.testing import Zones
from tests.support.dkim_samples import KEY_6376, KEY_8463_ED25519, KEY_8463_RSA, MESSAGE, RFC_6376, RFC_8463

NOW = 1528637909 + 60
RSA = rsa.generate_private_key(65537, 2048)
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


def zones(**records: str) -> Zones:
    found = {f"{name}._domainkey.example.com": {"TXT": [text]} for name, text in records.items()}
    return Zones(found)


def check(message: bytes, resolver: Zones, now: float = NOW, pieces: int = 1) -> list[DkimResult]:
    header, body = split(message)
    step = max(1, -(-len(body) // pieces))
    return asyncio.run(
        verify.verify(header, [body[at : at + step] for at in range(0, len(body), step)], resolver, now=now)
    )


def signed(
    message: bytes, key: keys.PrivateKey = RSA, change: Callable[[bytes], bytes] = bytes, body: bytes | None = None
) -> bytes:
    """A message with a signature made by us; `change` changes the field before it is signed, `body` what is hashed."""
    header, text = split(message)
    hashed = sign.body_hash([text if body is None else body])
    (unsigned,) = sign.prepare(header, hashed, [Signer("example.com", "s", keys.algorithm_of(key))], now=NOW)
    field = change(unsigned.field(b"").removesuffix(b"\r\n"))
    parsed = parse(next(fields(field + b"AAAA\r\n")))
    digest = SignedFields(list(fields(header))).digest(parsed.names, parsed.header_form, field)
    return field + base64.b64encode(keys.sign(key, digest)) + b"\r\n" + message


# -- the RFCs' examples


@pytest.mark.parametrize(
    ("message", "which", "key"),
    [(RFC_6376, 0, KEY_6376), (RFC_8463, 0, KEY_8463_ED25519), (RFC_8463, 1, KEY_8463_RSA)],
    ids=["6376", "8463 Ed25519", "8463 RSA"],
)
def test_the_rfcs_signatures_are_made_to_the_byte(message: bytes, which: int, key: keys.PrivateKey) -> None:
    header, body = split(message)
    found = list(fields(header))
    signature = parse([each for each in found if each.name == b"dkim-signature"][which])
    hashed = BodyHash(signature.body_form)
    hashed.update(body)
    hashed.finish()
    assert hashed.digest() == signature.body_hash
    digest = SignedFields(found).digest(signature.names, signature.header_form, signature.raw)
    assert keys.sign(key, digest) == signature.octets


def test_the_rfcs_messages_verify() -> None:
    resolver = Zones(
        {
            "brisbane._domainkey.example.com": {"TXT": [keys.record_of(KEY_6376)]},
            "brisbane._domainkey.football.example.com": {"TXT": [keys.record_of(KEY_8463_ED25519)]},
            "test._domainkey.football.example.com": {"TXT": [keys.record_of(KEY_8463_RSA)]},
        }
    )
    assert [each.result for each in check(RFC_6376, resolver)] == ["pass"]
    assert [each.result for each in check(RFC_8463, resolver)] == ["pass", "pass"]
    changed = check(RFC_8463.replace(b"dinner", b"supper"), resolver)
    assert [(each.result, each.problem[:22]) for each in changed] == [("fail", "the header was changed")] * 2
    assert [each.problem for each in check(RFC_8463 + b"x", resolver)] == ["the body was changed"] * 2


def test_the_forms_of_rfc_6376_3_4_5() -> None:
    header, body = b"A: X\r\nB : Y\t\r\n\tZ  \r\n", b" C \r\nD \t E\r\n\r\n\r\n"
    assert [relaxed_field(each.raw) for each in fields(header)] == [b"a:X", b"b:Y Z"]
    assert [canonical_field(each.raw, "simple") for each in fields(header)] == [b"A: X", b"B : Y\t\r\n\tZ  "]
    assert hashed(body, "relaxed") == hashlib.sha256(b" C\r\nD E\r\n").digest()
    assert hashed(body, "simple") == hashlib.sha256(b" C \r\nD \t E\r\n").digest()
    assert hashed(b"", "relaxed") == hashlib.sha256(b"").digest()
    assert hashed(b"", "simple") == hashlib.sha256(b"\r\n").digest()


# -- canonical forms


def hashed(body: bytes, form: Form, cuts: tuple[int, ...] = ()) -> bytes:
    made = BodyHash(form)
    for a, b in zip((0, *cuts), (*cuts, len(body)), strict=True):
        made.update(body[a:b])
    made.finish()
    return made.digest()


def by_the_letter(body: bytes, form: Form) -> bytes:
    """The canonical form, line by line."""
    lines = body.split(b"\r\n")
    if form == "relaxed":
        reduced = [b" ".join(part for part in line.replace(b"\t", b" ").split(b" ")) for line in lines]
        for n, line in enumerate(reduced):
            while b"  " in line:
                line = line.replace(b"  ", b" ")
            reduced[n] = line.rstrip(b" ")
        lines = reduced
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines) or (b"" if form == "relaxed" else b"\r\n")


BODIES = st.lists(st.sampled_from([b"a", b"bc", b" ", b"\t", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"  \r\n"])).map(
    b"".join
)


@given(BODIES, st.sampled_from(["simple", "relaxed"]), st.randoms())
@settings(max_examples=300)
def test_a_body_in_pieces_is_hashed_by_the_letter(body: bytes, form: Form, chance: random.Random) -> None:
    cuts = tuple(sorted(chance.randrange(len(body) + 1) for _ in range(3)))
    assert hashed(body, form, cuts) == hashlib.sha256(by_the_letter(body, form)).digest()


def test_pieces_of_the_hash_join() -> None:
    for filler in (b"a" * (PIECE - 2) + b" \t", b"a" * (PIECE - 1) + b"\r", b"\r\n" * PIECE):
        body = filler + b"\r\n\t \r\nend \r\n\r\n"
        assert hashed(body, "relaxed") == hashlib.sha256(by_the_letter(body, "relaxed")).digest()


# -- ours and dkimpy's


def messages() -> list[bytes]:
    """Messages with what canonical forms change: folded and empty fields, 8-bit text, no body, no line ending."""
    head = b"From: a@example.com\r\nTo:  b@example.net ,\r\n\tc@example.net\r\nSubject:\r\n"
    received = b"Received: by x\r\n"
    return [
        MESSAGE,
        head + b"\r\n",
        head + b"\r\nno line ending",
        head + received + received + b"List-Id: <l.test>\r\nX: \xff\r\n\r\n" + "ä  ö\t\r\n\r\n\r\n".encode(),
        head + b"Subject: again\r\n\r\n" + b" \t \r\n" * 3 + b"x" * 3000 + b"\r\n. \r\n\r\n",
    ]


@pytest.mark.parametrize("key", [RSA, KEY_8463_ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("message", messages(), ids=range(5))
def test_dkimpy_verifies_what_we_sign(message: bytes, key: keys.PrivateKey) -> None:
    ours = signed(message, key)
    record = keys.record_of(key).encode()
    assert dkim.verify(ours, dnsfunc=lambda name, timeout=5: record)
    assert [each.result for each in check(ours, zones(s=record.decode()), pieces=7)] == ["pass"]


@pytest.mark.parametrize("forms", [(a, b) for a in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")])
@pytest.mark.parametrize("message", messages(), ids=range(5))
def test_we_verify_what_dkimpy_signs(message: bytes, forms: tuple[bytes, bytes]) -> None:
    pem = RSA.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    field = dkim.sign(
        message, b"s", b"example.com", pem, canonicalize=forms, include_headers=[b"from", b"to", b"subject"]
    )
    (found,) = check(field + message, zones(s=keys.record_of(RSA)), now=4e9)
    assert found.result == "pass", found


# -- signing


def test_what_is_signed_cannot_be_added_to() -> None:
    ours = signed(MESSAGE)
    for name in (b"From", b"To", b"Cc", b"Subject", b"Reply-To", b"Message-ID", b"Date"):
        (found,) = check(name + b": x@evil.test\r\n" + ours, zones(s=keys.record_of(RSA)))
        assert found.result == "fail", name
    (found,) = check(b"List-Id: <l.test>\r\n" + ours, zones(s=keys.record_of(RSA)))
    assert found.result == "pass"


def test_a_field_is_folded() -> None:
    header, body = split(MESSAGE.replace(b"From", b"List-Post: <x>\r\n" * 30 + b"From"))
    (unsigned,) = sign.prepare(header, sign.body_hash([body]), [Signer("example.com", "s", "rsa-sha256")], now=NOW)
    field = unsigned.field(bytes(256))
    assert max(map(len, field.split(b"\r\n"))) <= 100 and field.endswith(b"\r\n") and b"\r\n\r\n" not in field
    assert parse(next(fields(field))).names.count(b"list-post") == sign.MOST_OF_A_NAME


def test_a_key_that_is_weak_or_none_signs_nothing() -> None:
    for weak in (rsa.generate_private_key(65537, 1024),):
        pem = weak.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with pytest.raises(ValueError, match="2048"):
            keys.load(pem)
    with pytest.raises(ValueError, match="."):
        keys.load(b"none")
    pem = RSA.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert keys.algorithm_of(keys.load(pem)) == "rsa-sha256"


# -- what must not verify


def replace(a: bytes, b: bytes) -> Callable[[bytes], bytes]:
    def change(field: bytes) -> bytes:
        assert a in field
        return field.replace(a, b)

    return change


GOOD = keys.record_of(RSA)


@pytest.mark.parametrize(
    ("change", "result", "problem"),
    [
        (replace(b"t=", b"x=%d; t=" % (NOW + 9)), "pass", ""),
        (replace(b"t=%d" % NOW, b"x=%d" % (NOW - 1)), "fail", "expired"),
        (replace(b"t=%d" % NOW, b"t=%d" % (NOW + 7200)), "fail", "future"),
        (replace(b"t=", b"x=1; t="), "permerror", "x="),
        (replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; i=joe@sub.example.com"), "pass", ""),
        (replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; i=joe@notexample.com"), "permerror", "within"),
        (replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; q=dns/txt:other"), "pass", ""),
        (replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; q=other"), "permerror", "way"),
        (replace(b"c=relaxed/relaxed", b"c=nowsp"), "permerror", "form"),
        (replace(b"a=rsa-sha256", b"a=rsa-sha1"), "permerror", "not allowed"),
        (replace(b"v=1", b"v=2"), "permerror", "version"),
        (replace(b"v=1;", b""), "permerror", "v is missing"),
        (replace(b"v=1;", b"v=1; v=1;"), "permerror", "twice"),
        (replace(b"from:from:", b""), "permerror", "From"),
        (replace(b"s=s;", b"s=other;"), "permerror", "no key"),
        (replace(b"s=s;", b"s=a..b;"), "permerror", "domain name"),
    ],
)  # fmt: skip
def test_tags_of_a_signature(change: Callable[[bytes], bytes], result: str, problem: str) -> None:
    field = signed(MESSAGE)
    try:
        field = signed(MESSAGE, RSA, change)
    except ValueError:  # not to be read, so not to be signed either
        head, rest = field.split(b"\r\n\tb=")
        field = change(head) + b"\r\n\tb=" + rest
    (found,) = check(field, zones(s=GOOD))
    assert found.result == result and problem in found.problem, found


@pytest.mark.parametrize(
    ("record", "result", "problem"),
    [
        (GOOD + "; t=y; n=a note", "pass", ""),
        (GOOD.replace("v=DKIM1; k=rsa; ", ""), "pass", ""),
        (GOOD + "; h=sha1:sha256; s=other:email", "pass", ""),
        (GOOD + "; h=sha1", "permerror", "sha256"),
        (GOOD + "; s=tlsrpt", "permerror", "mail"),
        (GOOD.replace("DKIM1", "DKIM2"), "permerror", "version"),
        (GOOD.replace("k=rsa", "k=ed25519"), "permerror", "ed25519"),
        ("v=DKIM1; p=", "permerror", "revoked"),
        ("v=DKIM1", "permerror", "p is missing"),
        ("v=DKIM1; p=AAAA", "permerror", "cannot be read"),
        ("v=DKIM1; p=%%", "permerror", "base64"),
        ("x" * 20000, "permerror", "octets"),
        (keys.record_of(KEY_6376), "fail", "another key"),
    ],
)
def test_key_records(record: str, result: str, problem: str) -> None:
    (found,) = check(signed(MESSAGE), zones(s=record))
    assert found.result == result and problem in found.problem, found
    assert found.testing == ("t=y" in record)


def test_the_size_of_a_key() -> None:
    with pytest.raises(BadKey, match="1023 bits"):
        keys.read(b"p=" + OF_1023_BITS, "rsa-sha256")
    public = RSA.public_key()
    pkcs1 = base64.b64encode(public.public_bytes(DER, serialization.PublicFormat.PKCS1)).decode()
    assert [each.result for each in check(signed(MESSAGE), zones(s=f"p={pkcs1}"))] == ["pass"]
    exponent = rsa.RSAPublicNumbers(2**2000 + 1, public.public_numbers().n).public_key()
    large = base64.b64encode(exponent.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(BadKey, match="exponent"):
        keys.read(b"p=" + large, "rsa-sha256")


#: Too short to be made by `cryptography`.
OF_1023_BITS = (
    b"MIGeMA0GCSqGSIb3DQEBAQUAA4GMADCBiAKBgHB7oWEEQUrSDOr7YEiiXmryvBDHFXHN7t32S7QK2ZvN93DAOlw7NhKjuQdWIvQlH8A/lY19VGiEys4m"
    b"R0R78sr1v0EvhKZvEraPo46x4uReEURKmHrp58cjdJcCchwKehWklEM4If22JlRAc6TZD4qy9py6TnI6fQ6mRBiG0r6ZAgMBAAE="
)


def test_a_subdomain_signs_only_without_t_s() -> None:
    message = signed(MESSAGE, RSA, replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; i=joe@sub.example.com"))
    assert [each.result for each in check(message, zones(s=GOOD + "; t=s"))] == ["permerror"]
    assert [each.result for each in check(signed(MESSAGE), zones(s=GOOD + "; t=s"))] == ["pass"]


def test_a_body_that_is_signed_in_part_says_so() -> None:
    header, body = split(MESSAGE)
    message = signed(MESSAGE, RSA, replace(b"c=relaxed/relaxed", b"c=relaxed/simple; l=%d" % len(body)))
    (whole,) = check(message, zones(s=GOOD))
    assert (whole.result, whole.partial) == ("fail", False)  # hashed in the relaxed form
    message = signed(MESSAGE, RSA, replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; l=3"), body=b"")
    (cut,) = check(message, zones(s=GOOD))
    assert (cut.result, cut.partial) == ("fail", True)
    field = signed(MESSAGE, RSA, lambda each: each.replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; l=0"), body=b"")
    # the hash of nothing: the whole body is a stranger's
    (found,) = check(field.replace(b"Joe.\r\n", b"Click here.\r\n"), zones(s=GOOD))
    assert (found.result, found.partial) == ("pass", True)
    field = signed(MESSAGE, RSA, replace(b"c=relaxed/relaxed", b"c=relaxed/relaxed; l=99999"))
    (found,) = check(field, zones(s=GOOD))
    assert (found.result, found.problem) == ("permerror", "l= is larger than the body")


def test_eight_signatures_are_verified_and_one_body_is_hashed_once() -> None:
    one = signed(MESSAGE).removesuffix(MESSAGE)
    resolver = zones(s=GOOD)
    found = check(one * 9 + MESSAGE, resolver)
    assert [each.result for each in found] == ["pass"] * 8
    assert resolver.asked.total() == 8
    assert check(MESSAGE, resolver) == []


def test_several_key_records_or_trouble() -> None:
    twice = Zones({"s._domainkey.example.com": {"TXT": [GOOD, GOOD]}})
    (found,) = check(signed(MESSAGE), twice)
    assert (found.result, found.problem) == ("permerror", "several key records")
    trouble = Zones()
    trouble.fail("s._domainkey.example.com")
    (found,) = check(signed(MESSAGE), trouble)
    assert found.result == "temperror"


def test_a_large_body_is_hashed_in_a_thread() -> None:
    message = MESSAGE + b"a line of text  \r\n" * (verify.IN_THREAD // 10)
    (found,) = check(signed(message), zones(s=GOOD), pieces=50)
    assert found.result == "pass"


# -- hostile text


@given(
    st.binary(max_size=400)
    | st.lists(
        st.sampled_from(
            [
                b"v=1;",
                b"a=rsa-sha256;",
                b"b=",
                b"bh=",
                b"h=from;",
                b"d=a.test;",
                b"s=s;",
                b"AA==;",
                b"=",
                b";",
                b"l=9",
                b"\r\n",
                b" ",
                b"From: a\r\n",
                b"\xff",
            ]
        )
    ).map(b"".join)
)
def test_any_octets_have_a_result(octets: bytes) -> None:
    for message in (octets, b"DKIM-Signature: " + octets, b"DKIM-Signature: " + octets + b"\r\n\r\n" + octets):
        assert len(check(message, zones(s=GOOD))) <= 8
    try:
        keys.read(octets, "rsa-sha256")
    except BadKey:
        pass
    header, body = split(octets)
    sign.prepare(header, sign.body_hash([body]), [Signer("a.test", "s", "rsa-sha256")], now=0)


def test_work_is_linear(linear: Any) -> None:
    def read(n: int) -> None:
        check(b"From: a\r\n" * n + b"DKIM-Signature: " + b"a=;" * n + b"\r\n\r\n" + b" \r\n" * n, Zones())

    def many(n: int) -> None:
        header = b"From: a\r\n" * n
        names = [b"from"] * n
        SignedFields(list(fields(header))).digest(names, "relaxed", b"DKIM-Signature: " + b";" * n)

    linear(read, 100)
    linear(many, 100)
    linear(lambda n: hashed(b"\r\n\n" * n * 1000, "relaxed"), 20)
