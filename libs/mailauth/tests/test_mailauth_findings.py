"""Each result as Authentication-Results: read back by authres and by us."""

import asyncio

import authres

from mailauth import authentication_results as ar
from mailauth import findings
from mailauth.arc.chain import ArcResult
from mailauth.authentication_results import AuthenticationResults
from mailauth.dkim import keys, verify
from mailauth.dkim.verify import DkimResult
from mailauth.dmarc.evaluate import evaluate, identifiers
from mailauth.header import split
from mailauth.spf.check import SpfResult, check_host
from mailauth.testing import Zones
from tests.support.dkim_samples import KEY_8463_ED25519, KEY_8463_RSA, RFC_8463

ZONES = Zones(
    {
        "brisbane._domainkey.football.example.com": {"TXT": [keys.record_of(KEY_8463_ED25519)]},
        "test._domainkey.football.example.com": {"TXT": [keys.record_of(KEY_8463_RSA)]},
        "football.example.com": {"TXT": ["v=spf1 -all"]},
        "_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject; sp=quarantine"]},
    }
)


async def found() -> AuthenticationResults:
    """The results of a whole message, from SPF to DMARC."""
    header, body = split(RFC_8463)
    spf = await check_host("192.0.2.1", "joe@football.example.com", "h.test", ZONES, now=2e9)
    dkim = await verify.verify(header, [body], ZONES, now=2e9)
    dmarc = await evaluate("football.example.com", identifiers(spf, dkim), ZONES)
    results = [findings.of_spf(spf, "joe@football.example.com"), *findings.of_dkim(dkim), findings.of_dmarc(dmarc)]
    return AuthenticationResults("mx.test", (*results, *findings.of_arc(ArcResult("none"))))


def test_a_message_from_spf_to_dmarc() -> None:
    results = asyncio.run(found())
    field = ar.write(results)
    assert ar.read(field.partition(b":")[2]) == results
    read = authres.AuthenticationResultsHeader.parse(field.decode().replace("\r\n\t", " ").strip())
    said = [(each.method, each.result) for each in read.results]
    assert said == [("spf", "fail"), ("dkim", "pass"), ("dkim", "pass"), ("dmarc", "pass"), ("arc", "none")]
    properties = [{f"{prop.type}.{prop.name}": prop.value for prop in each.properties} for each in read.results]
    assert properties[0] == {"smtp.mailfrom": "joe@football.example.com"}
    assert properties[1] == {
        "header.d": "football.example.com",
        "header.s": "brisbane",
        "header.a": "ed25519-sha256",
        "header.b": "/gCrinpc",
    }
    assert properties[3] == {"header.from": "football.example.com", "policy.dmarc": "quarantine"}


def test_results_without_a_domain_or_a_record() -> None:
    assert findings.of_spf(SpfResult("none", "helo", "h.test", "no record"), "").properties == (
        ("smtp.helo", "h.test"),
    )
    assert [each.result for each in findings.of_dkim([])] == ["none"]
    assert findings.of_dkim([DkimResult("permerror", None, "no tag")])[0].properties == ()
    assert findings.of_dmarc(asyncio.run(evaluate("none.test", [], ZONES))).properties == (
        ("header.from", "none.test"),
    )
    assert findings.of_arc(ArcResult("temperror")) == []
