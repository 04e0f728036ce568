"""The operator's file of networks that never hold a grant: look-ups, changes, bad files, and what is said of a login from there."""

import os

import pytest
from pydantic import SecretStr

from auth import network_file
from auth.config import AuthSettings
from auth.network_file import NetworkFile
from mailkit.errors import ConfigError
from mailkit.testing.growth import MOST_GROWTH, growth

ANNA = "anna@here.test"


def write(path, text):
    """A new file in the place of the old one, as a ConfigMap changes."""
    (path.parent / "new").write_text(text)
    os.replace(path.parent / "new", path)


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "clouds"
    path.write_text("# clouds\n198.51.100.0/24  # one\n\n2001:db8:1::/48\n203.0.113.9\n")
    return path


@pytest.fixture
def settings(database, listed):
    return AuthSettings(
        database_url=SecretStr(database),
        http_port=0,
        admin_token=SecretStr("admin-token"),
        token_gateway_auth=SecretStr("gateway-token"),
        token_frontend_auth=SecretStr("frontend-token"),
        proof_key=SecretStr("k" * 32),
        dkim_of_new_domains=False,
        grant_deny_file=str(listed),
    )


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("198.51.100.0", True),
        ("198.51.100.255", True),
        ("198.51.101.0", False),
        ("203.0.113.9", True),
        ("203.0.113.8", False),
        ("2001:db8:1:ffff::1", True),
        ("2001:db8:2::1", False),
    ],
)
def test_look_ups(listed, address, inside):
    assert (address in NetworkFile(str(listed))) is inside


async def test_a_login_from_there_gives_no_grant_and_the_trace_says_so(auth, listed):
    await auth.make(ANNA)
    for protocol in ("imap", "pop3"):
        assert (await auth.login(ANNA, protocol=protocol, client="198.51.100.7")).outcome == "ok"
    assert (await auth.login(ANNA, protocol="smtp", client="198.51.100.7")).outcome == "ok"
    assert await auth.admin.grants() == []
    await auth.login(ANNA, client="192.0.2.7")
    assert [grant["address"] for grant in await auth.admin.grants()] == ["192.0.2.7"]
    await auth.parts.noted.store()
    events = [event async for page in auth.admin.trace(address=ANNA) for event in page]
    said = {(e["client"], e["protocol"]): e["detail"] for e in events if e["event"] == "login"}
    assert said == {
        ("198.51.100.7", "imap"): "no grant: a shared cloud",
        ("198.51.100.7", "pop3"): "no grant: a shared cloud",
        ("198.51.100.7", "smtp"): "",
        ("192.0.2.7", "imap"): "grant",
    }


async def test_a_change_ends_grants_that_were_given_and_a_bad_file_changes_nothing(auth, listed):
    await auth.make(ANNA)
    await auth.login(ANNA, client="192.0.2.7")
    assert (await auth.mail(ANNA, client="192.0.2.7")).relay is not None
    write(listed, "192.0.2.0/24\n")
    auth.parts.grants.file.reload()
    assert (await auth.mail(ANNA, client="192.0.2.7")).relay is None
    for bad in ("192.0.2.1/24\n", "a cloud\n", "\xff", "x" * (network_file.LARGEST + 1)):
        write(listed, bad)
        auth.parts.grants.file.reload()
        assert (await auth.mail(ANNA, client="192.0.2.7")).relay is None
    listed.unlink()
    auth.parts.grants.file.reload()
    assert (await auth.mail(ANNA, client="192.0.2.7")).relay is None
    write(listed, "")
    auth.parts.grants.file.reload()
    assert (await auth.mail(ANNA, client="192.0.2.7")).relay is not None


def test_a_file_that_cannot_be_used_is_refused_at_the_start(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="GRANT_DENY_FILE"):
        _ = AuthSettings(grant_deny_file=str(tmp_path / "none")).grants
    monkeypatch.setattr(network_file, "MOST", 2)
    (tmp_path / "long").write_text("192.0.2.0/24\n" * 3)
    with pytest.raises(ConfigError, match="more than 2 networks"):
        NetworkFile(str(tmp_path / "long"))


def test_a_look_up_does_not_grow_with_the_file(tmp_path):
    def make(n):
        (tmp_path / str(n)).write_text("".join(f"10.{i >> 8 & 255}.{i & 255}.0/24\n" for i in range(n)))
        return NetworkFile(str(tmp_path / str(n)))

    def work(file):
        for _ in range(2000):
            assert "192.0.2.1" not in file

    assert growth(make, work, 4000) < MOST_GROWTH
