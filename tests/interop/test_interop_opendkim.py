"""Debian's opendkim verifies what mailauth signs, and mailauth verifies what opendkim signs."""

import random
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailauth.dkim import keys, sign, verify
from mailauth.dkim.sign import Signer
from mailauth.header import split
from mailauth.testing import Zones
from mailkit.testing.speed import patient
from tests.support.dkim_samples import KEY_6376, KEY_8463_ED25519, KEY_8463_RSA, RFC_6376, RFC_8463

pytestmark = pytest.mark.interop
RSA = rsa.generate_private_key(65537, 2048)
COUNT = 60
NOW = 1_700_000_000


def messages() -> list[bytes]:
    """Messages with folded and repeated fields, 8-bit text, long lines, white space everywhere, or no body."""
    chance = random.Random(1)
    pieces = [b"word", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b" \r\n", "ä€".encode(), b"x" * 900, b".", b"From "]
    made = []
    for n in range(COUNT):
        head = [
            b"From: Joe <joe@example.com>",
            b"To: a@example.net,\r\n  b@example.net",
            b"Date: Fri, 11 Jul 2003 21:00:37 -0700",
        ]
        head += [b"Subject:" + chance.choice([b"", b" hi", b"  a \t b", b"\r\n folded\r\n\ttwice", " ä".encode()])]
        head += [b"Received: from a by b; now"] * chance.randrange(3) + [
            b"List-Id: <l.example.com>"
        ] * chance.randrange(2)
        chance.shuffle(head)
        body = b"".join(chance.choice(pieces) for _ in range(chance.randrange(30)))
        made.append(b"\r\n".join(head) + b"\r\n\r\n" + (body + b"\r\n" if n else b""))
    return made


def opendkim(folder: Path, lines: list[str], texts: list[bytes]) -> list[str]:
    """What opendkim says of each message."""
    config = folder / "opendkim.conf"
    config.write_text("\n".join(["Syslog no", "Socket inet:1@127.0.0.1", *lines, ""]))
    said = []
    for n, text in enumerate(texts):
        path = folder / f"{n}.eml"
        path.write_bytes(text)
        arguments = ["opendkim", "-x", str(config), "-t", str(path), "-vv"]
        done = subprocess.run(
            arguments, capture_output=True, timeout=patient(20), env={"PATH": "/usr/sbin:/usr/bin:/bin"}
        )
        said.append(done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace"))
    return said


def signed(message: bytes) -> bytes:
    header, body = split(message)
    holders = [RSA, KEY_8463_ED25519]
    signers = [Signer("example.com", f"s{n}", keys.algorithm_of(key)) for n, key in enumerate(holders)]
    made = sign.prepare(header, sign.body_hash([body]), signers, now=NOW)
    return b"".join(each.field(keys.sign(key, each.digest)) for each, key in zip(made, holders, strict=True)) + message


def test_opendkim_verifies_what_we_sign(tmp_path: Path) -> None:
    data = tmp_path / "keys"
    data.write_text(
        "".join(f"s{n}._domainkey.example.com {keys.record_of(key)}\n" for n, key in enumerate([RSA, KEY_8463_ED25519]))
    )
    lines = ["Mode v", f"TestDNSData file:{data}", "AlwaysAddARHeader yes", "AuthservID here"]
    texts = [signed(each) for each in messages()]
    said = opendkim(tmp_path, lines, texts)
    results = [re.findall(r"dkim=(\w+).*? header\.a=(\S+)", each) for each in said]
    assert [
        each
        for each in zip(results, texts, said, strict=True)
        if each[0] != [("pass", "rsa-sha256"), ("pass", "ed25519-sha256")]
    ] == []
    broken = opendkim(tmp_path, lines, [each.replace(b"joe@", b"jim@") for each in texts[:5]])
    assert all("dkim=fail" in each for each in broken)


@pytest.mark.parametrize("forms", ["relaxed/simple", "relaxed/relaxed"])
async def test_we_verify_what_opendkim_signs(tmp_path: Path, forms: str) -> None:
    # its test mode does not keep the white space of fields, so no simple form of the header
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        RSA.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pem.chmod(0o600)
    lines = [
        "Mode s",
        "RequireSafeKeys no",
        "Domain example.com",
        "Selector s",
        f"KeyFile {pem}",
        f"Canonicalization {forms}",
        "InternalHosts 0.0.0.0/0",
    ]
    resolver = Zones({"s._domainkey.example.com": {"TXT": [keys.record_of(RSA)]}})
    texts = messages()[: COUNT // 4]
    for text, said in zip(texts, opendkim(tmp_path, lines, texts), strict=True):
        found = re.search(r"hname='DKIM-Signature' hvalue='([^']*)'", said)
        assert found, said
        field = b"DKIM-Signature: " + found[1].replace("\n", "\r\n").encode() + b"\r\n"
        header, body = split(field + text)
        (result,) = await verify.verify(header, [body], resolver, now=4e9)
        assert result.result == "pass", (text, result)


def test_opendkim_passes_the_messages_of_the_rfcs_that_we_pass(tmp_path: Path) -> None:
    names = {
        "brisbane._domainkey.football": KEY_8463_ED25519,
        "test._domainkey.football": KEY_8463_RSA,
        "brisbane._domainkey": KEY_6376,
    }
    data = tmp_path / "keys"
    data.write_text("".join(f"{name}.example.com {keys.record_of(key)}\n" for name, key in names.items()))
    lines = ["Mode v", f"TestDNSData file:{data}", "AlwaysAddARHeader yes", "AuthservID here"]
    said = opendkim(tmp_path, lines, [RFC_6376, RFC_8463])
    assert [each.count("dkim=pass") for each in said] == [1, 2]
