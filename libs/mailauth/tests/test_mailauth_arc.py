"""ARC: chains that we seal, what breaks them, and dkimpy beside. `make conformance` runs the 188 published cases."""

import asyncio
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mailauth.arc import seal
from mailauth.arc.chain import MOST_SETS, ArcResult, read, verify
from mailauth.dkim import keys, sign
from mailauth.dkim.sign import Signer
from mailauth.header import fields, split
from mailauth.testing import Zones
from tests.support.dkim_samples import KEY_8463_ED25519, KEY_8463_RSA, MESSAGE

NOW = 1_700_000_000
ZONES = {
    "s._domainkey.example.org": {"TXT": [keys.record_of(KEY_8463_RSA)]},
    "e._domainkey.example.org": {"TXT": [keys.record_of(KEY_8463_ED25519)]},
}
RSA, ED25519 = Signer("example.org", "s", "rsa-sha256"), Signer("example.org", "e", "ed25519-sha256")


def check(message: bytes, resolver: Zones | None = None) -> ArcResult:
    header, body = split(message)
    return asyncio.run(verify(header, [body], resolver or Zones(ZONES), now=NOW))


def sealed(
    message: bytes, signer: Signer = RSA, chain: ArcResult | None = None, results: bytes = b"mx.test; spf=pass"
) -> bytes | None:
    """The message with one more set, made by the status of its chain."""
    header, body = split(message)
    made = seal.begin(header, sign.body_hash([body]), chain or check(message), results, signer, now=NOW)
    if made is None:
        return None
    key = KEY_8463_RSA if signer is RSA else KEY_8463_ED25519
    signature = keys.sign(key, made.signature.digest)
    return made.fields(signature, keys.sign(key, made.seal(signature).digest)) + message


def chained(count: int) -> bytes:
    message = MESSAGE
    for n in range(count):
        sets = read(fields(split(message)[0]))  # known to be good: what is tested is below
        message = b"Received: from a by b; now\r\n" + (
            sealed(message, chain=ArcResult("pass" if n else "none", "", sets)) or b""
        )
    return message


def test_a_message_without_sets_has_no_chain() -> None:
    assert check(MESSAGE).result == "none"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_chains_that_we_seal_pass_here_and_with_dkimpy(count: int) -> None:
    message = chained(count)
    found = check(message)
    assert (found.result, len(found.sets), found.sets[-1].seal.domain) == ("pass", count, "example.org")
    record = keys.record_of(KEY_8463_RSA).encode()
    status, results, reason = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: record)
    assert status == dkim.CV_Pass, reason


def test_ed25519_seals_after_rsa() -> None:
    assert check(sealed(chained(1), ED25519) or b"").result == "pass"


def test_we_pass_what_dkimpy_seals() -> None:
    pem = KEY_8463_RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    message = MESSAGE
    for status in (b"none", b"pass"):
        message = b"Authentication-Results: mx.test; arc=" + status + b"; spf=pass\r\n" + message
        lines = dkim.arc_sign(
            message, b"s", b"example.org", pem, b"mx.test", include_headers=[b"from", b"to"], timestamp=NOW
        )
        message = b"".join(lines) + message.partition(b"\r\n")[2]
        found = check(message)
        assert found.result == "pass", found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((b"dinner", b"supper"), "message signature 2"),
        ((b"Joe.\r\n", b"Jim.\r\n"), "message signature 2: the body was changed"),
        ((b"i=1; mx.test; spf=pass", b"i=1; mx.test; spf=fail"), "seal 2"),
        ((b"cv=pass", b"cv=none"), "wrong cv="),
        ((b"cv=none", b"cv=pass"), "wrong cv="),
        ((b"cv=none", b"cv=nonsense"), "cv= is unknown"),
        ((b"cv=none", b"h=from; cv=none"), "h= is not allowed"),
        ((b"i=2; mx", b"i=3; mx"), "instance 2 is incomplete"),
        ((b"i=2; mx", b"i=1; mx"), "twice"),
        ((b"i=2; mx", b"i=99; mx"), "not from 1 to 50"),
        ((b"i=2; mx", b"mx"), "no instance"),
        ((b"a=rsa-sha256", b"a=rsa-sha1"), "not allowed"),
        ((b"h=from", b"h=arc-seal:from"), "h= has ARC-Seal"),
        ((b"s=s; t=", b"s=none; t="), "no key record"),
    ],
)
def test_what_breaks_a_chain(change: tuple[bytes, bytes], problem: str) -> None:
    message = chained(2)
    assert change[0] in message
    found = check(message.replace(change[0], change[1], 1 if b"i=" in change[0] else -1))
    assert found.result == "fail" and problem in found.problem, found


def test_trouble_of_the_dns_is_temporary_and_seals_nothing() -> None:
    trouble = Zones()
    trouble.fail("s._domainkey.example.org")
    found = check(chained(1), trouble)
    assert found.result == "temperror"
    assert sealed(chained(1), chain=found) is None


def test_a_chain_that_failed_is_sealed_once_more_and_then_ends() -> None:
    broken = chained(2).replace(b"dinner", b"supper")
    ended = sealed(broken) or b""
    assert b"cv=fail; d=example.org; i=3" in ended
    found = check(ended)
    assert (found.result, found.ended) == ("fail", 3)
    assert sealed(ended) is None
    assert sealed(chained(1).replace(b"i=1;", b"")) is None  # no instance that could follow


def test_fifty_sets_are_the_most() -> None:
    resolver = Zones(ZONES)
    message = chained(MOST_SETS)
    assert check(message, resolver).result == "pass"
    assert resolver.asked.total() == MOST_SETS + 1
    assert sealed(message) is None


@given(
    st.lists(
        st.sampled_from(
            [
                b"ARC-Seal: ",
                b"ARC-Message-Signature: ",
                b"ARC-Authentication-Results: ",
                b"i=1;",
                b"i=2;",
                b"\r\n",
                b" ",
                b"cv=none;",
                b"a=rsa-sha256;",
                b"b=AA==;",
                b"bh=AA==;",
                b"d=a.test;",
                b"s=s;",
                b"h=from;",
                b"i=",
                b";",
                b"\xff",
                b"0" * 5000,
            ]
        ),
        max_size=40,
    ).map(b"".join)
)
def test_any_octets_have_a_status(header: bytes) -> None:
    found = check(header + b"\r\n\r\nbody")
    assert found.result in ("none", "fail")
    sealed(header + b"\r\n\r\nbody", chain=found)


def test_reading_is_linear(linear: Any) -> None:
    one = b"ARC-Seal: i=1; a=b\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n"
    linear(lambda n: check(one * n + b"\r\n"), 50)
    linear(lambda n: check(b"".join(one.replace(b"i=1", b"i=%d" % (k % 50 + 1)) for k in range(n)) + b"\r\n"), 50)
    linear(lambda n: check(b"ARC-Authentication-Results: i=1" + b" " * n + b";" * n + b"\r\n\r\n"), 100)
