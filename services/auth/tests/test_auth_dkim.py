"""DKIM keys: made with the domain, used once their record was seen, replaced in time; signatures for those who may (decision 88)."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from auth import rotation
from auth.admin.dkim import DkimRules
from auth.parts import assemble
from auth.storage.dkim import DkimKeys
from auth_api import wire
from auth_api.client import AuthClient
from mailauth.dkim import keys
from mailkit.errors import BadRequest, Conflict, Forbidden, NotFound
from mailkit.ids import new_id
from mailkit.postgres.singleton import Singleton
from mailkit.rpc.proof import LIFE, ProofKeys
from mailkit.testing.dns import FakeDns

PROOFS = ProofKeys([b"k" * 32]).for_sending()
DIGEST = hashlib.sha256(b"header").digest()


@pytest.fixture(scope="module")
def dns() -> Iterator[FakeDns]:
    with FakeDns(ttl=0) as running:
        yield running


@pytest.fixture
def settings(settings, dns):
    dns.zones.clear()
    return settings.model_copy(update={"dns_servers": (dns.server,), "dkim_of_new_domains": True})


def publish(dns: FakeDns, *rows) -> None:
    for row in rows:
        dns.set(row["record_name"], TXT=[row["zone_text"]])


def states(rows) -> dict[str, str]:
    return {row["selector"]: row["state"] for row in rows}


async def test_keys_come_with_the_domain_and_are_used_once_their_records_are_seen(auth, dns):
    await auth.admin.add_domain("site.com")
    rsa, ed = await auth.admin.dkim_keys("site.com")
    assert (rsa["algorithm"], rsa["state"], rsa["record_name"]) == ("rsa-sha256", "new", "pr-rsa1._domainkey.site.com")
    assert (ed["algorithm"], ed["state"], ed["record_name"]) == ("ed25519-sha256", "new", "pr-ed1._domainkey.site.com")
    assert set(rsa) == {
        "id", "domain", "selector", "algorithm", "state", "record_name", "record", "zone_text", "created_at", "since",
    }  # fmt: skip
    assert keys.read(rsa["record"].encode(), "rsa-sha256").key.key_size == 2048
    assert states(await auth.admin.check_dkim_keys("site.com")) == {"pr-rsa1": "new", "pr-ed1": "new"}
    dns.set(rsa["record_name"], TXT=['"v=DKIM1; k=rsa; p="', rsa["zone_text"]])
    assert states(await auth.admin.check_dkim_keys("site.com"))["pr-rsa1"] == "new", "two records are none"
    dns.set(rsa["record_name"], TXT=[ed["zone_text"]])
    assert states(await auth.admin.check_dkim_keys("site.com"))["pr-rsa1"] == "new", "the record of another key"
    assert not (await auth.admin.domain("site.com"))["signing"]
    dns.set(rsa["record_name"], CNAME=["k1.keys.test"])
    dns.set("k1.keys.test", TXT=[rsa["zone_text"]])
    assert states(await auth.admin.check_dkim_keys("site.com")) == {"pr-rsa1": "active", "pr-ed1": "new"}
    domain = await auth.admin.domain("site.com")
    assert domain["signing"]
    assert domain["identity"] == {"level": "enforce", "chosen": None, "by": "domain"}


async def test_keys_of_an_existing_domain_are_made_by_command_and_removed(auth, dns):
    await auth.pool.execute("insert into auth.domains (id, name, created_at) values ($1, 'old.com', now())", new_id())
    assert await auth.admin.dkim_keys("old.com") == []
    made = await auth.admin.make_dkim_keys("old.com")
    assert [row["state"] for row in made] == ["new", "new"]
    assert await auth.admin.make_dkim_keys("old.com") == made, "repeating it changes nothing"
    publish(dns, *made)
    await auth.admin.check_dkim_keys("old.com")
    assert (await auth.admin.domain("old.com"))["identity"]["level"] == "log", (
        "an existing domain refuses nothing by itself"
    )
    await auth.admin.remove_dkim_keys("old.com")
    assert await auth.admin.dkim_keys("old.com") == []
    assert (await auth.admin.domain("old.com"))["identity"]["level"] == "off"
    for call in (
        auth.admin.dkim_keys,
        auth.admin.make_dkim_keys,
        auth.admin.check_dkim_keys,
        auth.admin.remove_dkim_keys,
    ):
        with pytest.raises(NotFound):
            await call("nowhere.test")


async def test_a_key_is_replaced_when_its_successor_is_published_and_kept_for_seven_days(auth, settings, dns):
    parts = assemble(settings, auth.pool, auth.questions, auth.clock, None, None)  # type: ignore[arg-type]
    await auth.make("a@site.com")
    await auth.admin.add_domain("empty.com")
    await auth.admin.remove_dkim_keys("empty.com")
    with pytest.raises(Conflict, match="no active key"):
        await auth.admin.rotate_dkim_keys("empty.com")
    publish(dns, *await auth.admin.dkim_keys("site.com"))
    await parts.rotation.run()
    assert states(await auth.admin.dkim_keys("site.com")) == {"pr-rsa1": "active", "pr-ed1": "active"}
    auth.pass_time(timedelta(days=179).total_seconds())
    await parts.rotation.run()
    assert len(await auth.admin.dkim_keys("site.com")) == 2
    auth.pass_time(timedelta(days=2).total_seconds())
    await parts.rotation.run()
    four = states(await auth.admin.dkim_keys("site.com"))
    assert four == {"pr-rsa1": "active", "pr-ed1": "active", "pr-rsa2": "new", "pr-ed2": "new"}
    auth.pass_time(timedelta(days=30).total_seconds())
    await parts.rotation.run()
    assert states(await auth.admin.dkim_keys("site.com")) == four, "not before its record is seen"
    publish(dns, *await auth.admin.dkim_keys("site.com"))
    auth.pass_time(rotation.MOST_PAUSE.total_seconds())
    await parts.rotation.run()
    replaced = {"pr-rsa1": "old", "pr-ed1": "old", "pr-rsa2": "active", "pr-ed2": "active"}
    assert states(await auth.admin.dkim_keys("site.com")) == replaced
    with pytest.raises(Conflict, match="seven days"):
        await auth.admin.rotate_dkim_keys("site.com")
    auth.pass_time(timedelta(days=6, hours=23).total_seconds())
    await parts.rotation.run()
    assert states(await auth.admin.dkim_keys("site.com")) == replaced
    auth.pass_time(timedelta(hours=2).total_seconds())
    await parts.rotation.run()
    assert states(await auth.admin.dkim_keys("site.com")) == {"pr-rsa2": "active", "pr-ed2": "active"}


async def test_a_round_looks_at_a_bounded_number_of_keys_and_one_replica_does_it(auth, settings, dns, monkeypatch):
    parts = assemble(settings, auth.pool, auth.questions, auth.clock, None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(rotation, "LOOKS", 3)
    for n in range(2):
        await auth.admin.add_domain(f"d{n}.com")
    dns.queries.clear()
    await parts.rotation.run()
    assert sum(dns.queries.values()) == 3
    await parts.rotation.run()
    assert sum(dns.queries.values()) == 4, "those that were not found wait"
    other = rotation.Rotation(
        DkimKeys(auth.pool, auth.questions),
        DkimRules(None, None, auth.clock, None),  # type: ignore[arg-type]
        auth.clock,
        Singleton(auth.pool, auth.clock, new_id(), "auth", "rotate", period=rotation.PERIOD),
        lifetime=timedelta(0),
    )
    auth.pass_time(61)
    await parts.rotation.run()
    await other.run()
    await parts.rotation.end()
    assert sum(dns.queries.values()) == 7


async def sign(auth, address: str, selector: str, login=None, client=None, proof: bytes | None = None) -> bytes:
    """The signature; by default with the proof that a login of now by SMTP has."""
    if proof is None:
        proof = PROOFS.sign(login, 1, auth.clock.timestamp() + 600) if login else b""
    question = wire.SignatureQuestion(address, client, login, [wire.Digest(selector, DIGEST)], proof)
    return (await auth.gateway.signatures([question]))[0].signatures[0]


async def test_auth_signs_for_an_account_or_grant_that_may_use_the_domain_and_for_nobody_else(auth, dns):
    a, b = await auth.make("a@site.com"), await auth.make("b@other.com")
    await auth.admin.add_domain("quiet.com")
    await auth.admin.add_forward("sales@site.com", ["b@other.com"])
    published = await auth.admin.dkim_keys("site.com")
    publish(dns, *published)
    assert await sign(auth, "a@site.com", "pr-rsa1", a) == b"", "a new key"
    await auth.admin.check_dkim_keys("site.com")
    for row in published:
        signature = await sign(auth, "x@site.com", row["selector"], a)
        key = keys.read(row["record"].encode(), row["algorithm"]).key
        assert keys.verifies(key, DIGEST, signature)
    assert await sign(auth, "sales@site.com", "pr-ed1", b), "it forwards to b"
    for address, login in (
        ("a@site.com", b),
        ("a@site.com", None),
        ("a@quiet.com", a),
        ("", a),
        ("a@site.com", new_id()),
    ):
        assert await sign(auth, address, "pr-ed1", login) == b"", (address, login)
    assert await sign(auth, "a@site.com", "pr-rsa2", a) == b""
    await auth.login("a@site.com", client="192.0.2.7")
    await auth.login("b@other.com", client="192.0.2.8")
    assert await sign(auth, "a@site.com", "pr-ed1", client="192.0.2.7")
    assert await sign(auth, "a@site.com", "pr-ed1", client="192.0.2.8") == b""
    await auth.admin.disable_mailbox("a@site.com")
    assert await sign(auth, "a@site.com", "pr-ed1", a) == b""
    assert await sign(auth, "a@site.com", "pr-ed1", client="192.0.2.7") == b""
    with pytest.raises(BadRequest, match="32 octets"):
        await auth.gateway.signatures([wire.SignatureQuestion("a@site.com", None, a, [wire.Digest("pr-ed1", b"x")])])


async def test_a_login_counts_with_its_proof_only(auth, dns):
    """The gateway's token alone had hashes signed for each mailbox whose id it knew."""
    a, b = await auth.make("a@site.com"), await auth.make("b@site.com")
    publish(dns, *await auth.admin.dkim_keys("site.com"))
    await auth.admin.check_dkim_keys("site.com")
    login = await auth.login("a@site.com", protocol="smtp", client=None)
    reading = await auth.login("a@site.com", protocol="pop3", client=None)
    now = auth.clock.timestamp()
    forged = ProofKeys([b"f" * 32]).for_sending().sign(a, 1, now + LIFE)
    assert await sign(auth, "a@site.com", "pr-ed1", a, proof=login.proof)
    for box, proof in ((a, b""), (a, b"x" * 44), (a, forged), (a, reading.proof), (b, login.proof)):
        assert await sign(auth, "a@site.com", "pr-ed1", box, proof=proof) == b""
    await auth.login("b@site.com", client="192.0.2.7")
    assert await sign(auth, "a@site.com", "pr-ed1", a, client="192.0.2.7", proof=b""), "by the grant, which auth has"
    auth.pass_time(LIFE)
    assert await sign(auth, "a@site.com", "pr-ed1", a, proof=login.proof) == b"", "it has run out"
    (renewed,) = (await auth.gateway.recheck([wire.SessionQuestion(a, 1, login.proof)])).proofs
    assert await sign(auth, "a@site.com", "pr-ed1", a, proof=renewed)
    await auth.admin.set_password("a@site.com", "another password")
    auth.pass_time(LIFE)
    assert (await auth.gateway.recheck([wire.SessionQuestion(a, 1, renewed)])).items == [False]
    assert await sign(auth, "a@site.com", "pr-ed1", a, proof=renewed) == b"", "not beyond its life after a new password"


async def test_a_gateway_of_the_release_before_has_no_proof_and_does_not_sign(auth, dns):
    box = await auth.make("a@site.com")
    publish(dns, *await auth.admin.dkim_keys("site.com"))
    await auth.admin.check_dkim_keys("site.com")
    without = wire.AuthorQuestion(["a@site.com"], None, box)
    proof = PROOFS.sign(box, 1, auth.clock.timestamp() + 600)
    with_one = wire.AuthorQuestion(["a@site.com"], None, box, proof=proof)
    old, new = await auth.gateway.authors([without, with_one])
    assert (old.allowed, old.signers) == (True, []), "its mail is taken, unsigned"
    assert (new.allowed, len(new.signers)) == (True, 2)


@pytest.mark.parametrize("settings", [{"proof_key": SecretStr(f"{'n' * 32},{'k' * 32}")}], indirect=True)
async def test_a_proof_by_the_key_before_is_still_good(auth, dns):
    box = await auth.make("a@site.com")
    publish(dns, *await auth.admin.dkim_keys("site.com"))
    await auth.admin.check_dkim_keys("site.com")
    assert await sign(auth, "a@site.com", "pr-ed1", box)
    new = await auth.login("a@site.com", protocol="smtp")
    assert ProofKeys([b"n" * 32]).for_sending().check(box, new.proof, auth.clock.timestamp()) == 1


async def test_no_private_key_is_shown(auth, capfd):
    await auth.admin.add_domain("site.com")
    (key,) = {bytes(row["private_key"]) for row in await auth.pool.fetch(
        "select private_key from auth.dkim_keys where algorithm = 'ed25519-sha256'")}  # fmt: skip
    shown = repr(await auth.admin.dkim_keys("site.com")) + repr(await auth.admin.domain("site.com"))
    captured = capfd.readouterr()
    for octets in (key, key[-32:]):
        assert octets.hex() not in shown + captured.err
    assert "private" not in shown + captured.err


@pytest.mark.parametrize("settings", [{"helo_name": "mx.site.com", "dkim_of_new_domains": True}], indirect=True)
async def test_our_own_bounces_are_signed_by_the_helo_domain_and_no_other(auth, dns):
    digest = wire.Digest("pr-rsa1", DIGEST)
    queue = AuthClient(auth.url, "queue-token")

    async def asked(*digests):
        (answer,) = await queue.bounce_signatures([wire.BounceSignatureQuestion(list(digests))])
        return [(each.domain, each.selector) for each in answer.signers], list(map(bool, answer.signatures))

    async def sign(domain):
        await auth.admin.add_domain(domain)
        publish(dns, *await auth.admin.dkim_keys(domain))
        await auth.admin.check_dkim_keys(domain)

    try:
        assert await asked(digest) == ([], [False])
        await sign("other.org")
        assert await asked(digest) == ([], [False]), "another domain's key of the same selector"
        await sign("site.com")
        assert await asked(digest) == ([("site.com", "pr-ed1"), ("site.com", "pr-rsa1")], [True])
        await sign("mx.site.com")
        assert await asked() == ([("mx.site.com", "pr-ed1"), ("mx.site.com", "pr-rsa1")], [])
        with pytest.raises(BadRequest):
            await asked(wire.Digest("pr-rsa1", b"short"))
        with pytest.raises(Forbidden):
            await auth.gateway.bounce_signatures([wire.BounceSignatureQuestion([digest])])
    finally:
        await queue.aclose()
