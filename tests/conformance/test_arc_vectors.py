"""The ARC test suite (ValiMail/arc_test_suite): validating and sealing, all its cases."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mailauth import authentication_results as ar
from mailauth import tags
from mailauth.arc import seal
from mailauth.arc.chain import verify
from mailauth.dkim import keys as dkim_keys
from mailauth.dkim import sign
from mailauth.dkim.sign import Signer
from mailauth.header import fields, split
from mailauth.testing import Zones
from tests.conformance.vectors import documents

CASES = [
    pytest.param(scenario, case, id=f"{scenario['description']}: {name}".replace(" ", "-"))
    for scenario in documents("arc/arc-draft-validation-tests.yml")
    for name, case in scenario["tests"].items()
]


def octets(message: str) -> bytes:
    """A message as it is sent: the suite has LF, and white space at its ends."""
    return message.encode().replace(b"\n", b"\r\n")


def keys(scenario: dict[str, Any]) -> Zones:
    return Zones({name: {"TXT": ["".join(text.split("\n"))]} for name, text in scenario["txt-records"].items()})


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 171


@pytest.mark.parametrize(("scenario", "case"), CASES)
async def test_case(scenario: dict[str, Any], case: dict[str, Any]) -> None:
    header, body = split(octets(case["message"]))
    found = await verify(header, [body], keys(scenario), now=1.0e9)
    if case["cv"].strip():
        assert found.result == case["cv"].lower(), found
    else:  # a seal says that the chain had failed: there is nothing to validate any more
        assert (found.result, found.ended > 0) == ("fail", True)


SEALED = [
    pytest.param(scenario, case, id=f"seal: {name}")
    for scenario in documents("arc/arc-draft-sign-tests.yml")
    for name, case in scenario["tests"].items()
]


def test_the_suite_of_seals_is_whole() -> None:
    assert len(SEALED) == 17


def results_of(header: bytes, host: bytes) -> bytes:
    """The results of the Authentication-Results fields of `host`, joined, as they stand."""
    values = [each.value.strip() for each in fields(header) if each.name == ar.NAME]
    ours = [value.partition(b";")[2].strip() for value in values if value.partition(b";")[0] == host]
    return b"; ".join([host, *ours])


@pytest.mark.parametrize(("scenario", "case"), SEALED)
async def test_seal(scenario: dict[str, Any], case: dict[str, Any]) -> None:
    header, body = split(octets(case["message"]))
    chain = await verify(header, [body], keys(scenario), now=1.0e9)
    signer = Signer(scenario["domain"], scenario["sel"], "rsa-sha256")
    names = case["sig-headers"].encode().split(b":")
    results = results_of(header, case["srv-id"].encode())
    made = seal.begin(header, sign.body_hash([body]), chain, results, signer, now=case["t"], names=names)
    if not case["AS"].strip():
        assert made is None
        return
    assert made is not None
    key = load_pem_private_key(scenario["privatekey"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    signature = dkim_keys.sign(key, made.signature.digest)
    whole = made.fields(signature, dkim_keys.sign(key, made.seal(signature).digest))
    values = {each.name: each.value for each in fields(whole)}
    for name, wanted in ((b"arc-seal", case["AS"]), (b"arc-message-signature", case["AMS"])):
        found, expected = tags.parse(values[name]), tags.parse(wanted.encode())
        assert {tag: "".join(value.split()) for tag, value in found.items()} == {
            tag: "".join(value.split()) for tag, value in expected.items()
        }
    assert values[b"arc-authentication-results"].split() == case["AAR"].encode().split()
    # and whoever comes next finds the chain as it was sealed
    again = await verify(whole + header, [body], keys(scenario), now=1.0e9)
    assert (again.result, again.ended) == (("fail", len(chain.sets) + 1) if chain.result == "fail" else ("pass", 0)), (
        again
    )
