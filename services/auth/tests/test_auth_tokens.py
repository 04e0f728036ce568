"""Logins by access tokens: which are good, what else is refused, and an issuer that is away (docs/decisions/0124)."""

import json

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import SecretStr

from auth.config import AuthSettings
from auth.login import issuer_keys, tokens
from auth_api import wire
from mailkit.errors import ConfigError
from mailkit.ids import new_id
from tests.support.issuer import TestIssuer

ANNA = "anna@here.test"


@pytest.fixture(scope="module")
def issuer():
    with TestIssuer() as running:
        yield running


@pytest.fixture
def settings(database, issuer):
    issuer.keys, issuer.body, issuer.status = [ECKey.generate_key("P-256", parameters={"kid": "one"})], None, 200
    return AuthSettings(
        database_url=SecretStr(database),
        http_port=0,
        admin_token=SecretStr("admin-token"),
        token_gateway_auth=SecretStr("gateway-token"),
        token_frontend_auth=SecretStr("frontend-token"),
        proof_key=SecretStr("k" * 32),
        dkim_of_new_domains=False,
        oauth_scopes=("mail",),
        oauth_algorithms=("ES256", "RS256"),
        **issuer.settings(),
    )


async def login(auth, token, name=ANNA, protocol="imap"):
    question = wire.TokenLogin(new_id(), protocol, name, token, "192.0.2.7")
    caller = auth.gateway if protocol == "smtp" else auth.frontend
    return (await caller.token_logins([question]))[0]


def good(auth, issuer, mailbox=ANNA, **changed):
    return issuer.token(mailbox, now=auth.clock.timestamp(), **({"scope": "openid mail"} | changed))


async def failures(auth, key=ANNA):
    found = await auth.pool.fetchval(
        "select failures from auth.login_failures where kind = 'account' and key = $1", key
    )
    return found or 0


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "imap"])
async def test_a_token_opens_the_mailbox_that_it_names(auth, issuer, protocol):
    box = await auth.make(ANNA)
    before = auth.hasher.computed
    for name in (ANNA, "Anna%HERE.test", ""):
        auth.pass_time(61)
        answer = await login(auth, good(auth, issuer, "Anna@here.test"), name, protocol)
        assert (answer.outcome, answer.mailbox_id, answer.credential_version) == ("ok", box, 1)
        assert len(answer.proof) == 44
    assert auth.hasher.computed == before
    await auth.parts.noted.store()
    events = [event for page in [page async for page in auth.admin.trace(address=ANNA)] for event in page]
    assert {event["detail"] for event in events if event["event"] == "login"} <= {"token", "grant, token"}


async def test_a_token_of_a_name_in_an_alias_domain(auth, issuer):
    await auth.make(ANNA)
    await auth.admin.add_domain("alias.test", alias_of="here.test")
    assert (await login(auth, good(auth, issuer), "anna@alias.test")).outcome == "ok"
    assert (await login(auth, good(auth, issuer, "anna@alias.test"))).outcome == "ok"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.test"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": None},
        {"nbf": 2_000_000_000},
        {"scope": "openid"},
        {"scope": None},
        {"scope": {"mail": True}},
        {"email": None},
        {"email": ["anna@here.test"]},
        {"email": "other@here.test"},
        {"email": ""},
        {"email_verified": False},
    ],
)
async def test_what_a_token_has_to_say(auth, issuer, changed):
    await auth.make(ANNA)
    await auth.make("other@here.test")
    assert (await login(auth, good(auth, issuer, **changed))).outcome == "refused"
    assert await failures(auth) == 1


async def test_forms_of_the_audience_and_the_scope(auth, issuer):
    await auth.make(ANNA)
    for changed in ({"aud": ["x", "mail"]}, {"scope": None, "scp": ["mail"]}, {"email_verified": True}):
        assert (await login(auth, good(auth, issuer, **changed))).outcome == "ok", changed


async def test_forged_tokens_are_wrong_passwords(auth, issuer):
    await auth.make(ANNA)
    stranger = ECKey.generate_key("P-256", parameters={"kid": "one"})
    public = json.dumps(issuer.keys[0].as_dict(private=False)).encode()
    token = good(auth, issuer)
    head, body, signature = token.split(".")
    for forged in (
        good(auth, issuer, key=stranger),
        good(auth, issuer, key=OctKey.import_key(public, {"kid": "one"}), algorithm="HS256"),
        "eyJhbGciOiJub25lIn0." + body + ".",
        f"{head}.{body[:-4]}AAAA.{signature}",
        "x",
        "",
        "a.b.c",
        "\x00",
        "é" * 10,
        "." * 9000,
    ):
        assert (await login(auth, forged)).outcome == "refused", forged[:40]
    assert await failures(auth) == 10
    assert (await login(auth, token)).outcome == "throttled"


async def test_an_expired_token_is_refused_and_no_guess(auth, issuer):
    await auth.make(ANNA)
    token = good(auth, issuer)
    auth.pass_time(300 + tokens.LEEWAY + 1)
    for _ in range(3):
        assert (await login(auth, token)).outcome == "refused"
    assert await failures(auth) == 0


async def test_an_algorithm_that_is_not_on_the_list_is_refused(auth, issuer):
    await auth.make(ANNA)
    issuer.keys.append(RSAKey.generate_key(2048, parameters={"kid": "rsa"}))
    for algorithm, outcome in (("RS256", "ok"), ("PS256", "refused"), ("RS512", "refused")):
        token = good(auth, issuer, key=issuer.keys[1], algorithm=algorithm)
        assert (await login(auth, token)).outcome == outcome, algorithm


async def test_a_disabled_mailbox_and_an_unknown_one_are_refused(auth, issuer):
    await auth.make(ANNA)
    token = good(auth, issuer)
    await auth.admin.disable_mailbox(ANNA)
    assert (await login(auth, token)).outcome == "refused"
    assert (await login(auth, good(auth, issuer, "nobody@here.test"), "")).outcome == "refused"
    assert (await login(auth, good(auth, issuer, "nobody@here.test"))).outcome == "refused"


async def test_a_token_is_good_where_the_main_password_is_off(auth, issuer):
    await auth.make(ANNA)
    await auth.admin.set_main_password(ANNA, False)
    assert (await login(auth, good(auth, issuer))).outcome == "ok"


def own_clock(auth):
    """The keys' own clock, which tests set."""
    keys = auth.parts.logins._tokens._keys
    now = [0.0]
    keys._monotonic = lambda: now[0]
    return now


async def test_new_keys_are_fetched_and_made_up_ones_cause_few_fetches(auth, issuer):
    await auth.make(ANNA)
    now, before = own_clock(auth), issuer.asked
    assert (await login(auth, good(auth, issuer))).outcome == "ok"
    issuer.keys = [ECKey.generate_key("P-256", parameters={"kid": "two"})]
    now[0] += issuer_keys.BETWEEN
    assert (await login(auth, good(auth, issuer))).outcome == "ok"
    assert issuer.asked - before == 2
    stranger = ECKey.generate_key("P-256", parameters={"kid": "three"})
    for _ in range(5):
        assert (await login(auth, good(auth, issuer, key=stranger))).outcome == "refused"
    assert issuer.asked - before == 2
    now[0] += issuer_keys.FRESH + 1
    assert (await login(auth, good(auth, issuer))).outcome == "ok"
    assert issuer.asked - before == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, None),
        (302, None),
        (200, b"{"),
        (200, b"[]"),
        (200, b'{"keys": 1}'),
        (200, b'{"keys": [' + b",".join([b"{}"] * 51) + b"]}"),
        (200, b'{"keys": [' + b" " * issuer_keys.LARGEST + b"]}"),
    ],
)
async def test_an_issuer_that_is_away_is_a_temporary_failure_and_known_keys_last(auth, issuer, status, body):
    await auth.make(ANNA)
    now, token = own_clock(auth), good(auth, issuer)
    issuer.status, issuer.body = status, body
    assert (await login(auth, token)).outcome == "busy"
    issuer.status, issuer.body = 200, None
    now[0] += issuer_keys.BETWEEN
    assert (await login(auth, token)).outcome == "ok"
    issuer.status, issuer.body = status, body
    now[0] += issuer_keys.FRESH + 1
    assert (await login(auth, token)).outcome == "ok"
    now[0] += issuer_keys.USABLE
    assert (await login(auth, token)).outcome == "busy"
    assert await failures(auth) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"oauth_jwks_url": ""},
        {"oauth_jwks_url": "http://issuer.test/jwks"},
        {"oauth_jwks_url": "ftp://127.0.0.1/jwks"},
        {"oauth_audience": ""},
        {"oauth_algorithms": ("HS256",)},
        {"oauth_algorithms": ()},
    ],
)
def test_settings_that_would_take_any_token_are_refused(issuer, changed):
    given = issuer.settings() | changed
    with pytest.raises(ConfigError):
        _ = AuthSettings(**given).issuer
