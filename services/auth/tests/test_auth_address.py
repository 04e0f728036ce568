"""Address forms: whatever is sent, the answer is a BadAddress or an address that means one thing."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auth.addresses import parse_own, parse_recipient, parse_sender
from mailkit.mail.address import BadAddress, parse_login

LOCAL = st.text(st.characters(codec="utf-8"), max_size=70)
DOMAIN = st.one_of(
    st.from_regex(r"[a-zA-Z0-9-]{1,10}(\.[a-zA-Z0-9-]{1,10}){0,3}\.?", fullmatch=True),
    st.ip_addresses().map(lambda ip: f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"),
    st.text(max_size=20),
)
ROUTE = st.sampled_from(["", "@a.test:", "@a.test,@b.test:", "@", "@:", ":"])
ANY = st.one_of(
    st.text(max_size=300),
    st.builds(lambda route, local, domain: f"{route}{local}@{domain}", ROUTE, LOCAL, DOMAIN),
    st.builds(
        lambda local, domain: '"' + local.replace("\\", "\\\\").replace('"', '\\"') + f'"@{domain}', LOCAL, DOMAIN
    ),
    st.text(alphabet='ab@%!."\\ <>[]:,', max_size=40),
)


@given(ANY)
@example('"a@b"@c.test')
@example('"\\"@c.test')
@example('""@c.test')
@example('"\xa00"@[0.0.0.0]')
def test_a_recipient_is_refused_or_means_one_thing(text):
    try:
        recipient = parse_recipient(text)
    except BadAddress:
        return
    assert not any(ord(char) < 32 or ord(char) == 127 for char in recipient.address)
    assert recipient.address.endswith(f"@{recipient.domain}")
    assert recipient.domain == recipient.domain.lower() or recipient.domain.startswith("[")
    assert "@" not in recipient.domain
    local = recipient.key.removesuffix(f"@{recipient.domain}")
    assert local == local.lower() or not local.isascii()
    if len(recipient.address.encode()) <= 254 and not recipient.address.startswith("@"):
        assert parse_recipient(recipient.address) == recipient  # what is passed on is read the same way again


@given(ANY)
def test_a_sender_is_always_comparable(text):
    sender = parse_sender(text)
    assert "\x00" not in sender.key
    local = sender.key.removesuffix(f"@{sender.domain}")
    assert local == local.lower() or not local.isascii()
    assert not sender.domain or sender.key.endswith(f"@{sender.domain}")


@given(ANY)
def test_an_own_address_is_plain(text):
    try:
        own = parse_own(text)
    except BadAddress:
        return
    local = own.address.rpartition("@")[0]
    assert set(local) <= set(string.ascii_lowercase + string.digits + "._+=&'~-")
    assert own.key == own.address == own.address.lower()


@given(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,8}\.(com|net)", fullmatch=True),
)
def test_p1_percent_and_at_are_the_same_login(local, domain):
    assert parse_login(f"{local}%{domain}") == parse_login(f"{local.upper()}@{domain.upper()}.")


@given(ANY)
def test_a_login_name_is_refused_or_plain(text):
    try:
        login = str(parse_login(text))
    except BadAddress:
        return
    assert "\x00" not in login


@pytest.mark.parametrize("text", ["a%b@far.test", "a!b@far.test", '"a@b"@far.test', "a%b%c@far.test"])
def test_no_local_part_names_a_domain(text):
    assert parse_recipient(text).domain == "far.test"


def test_long_local_parts_of_others_are_addresses_up_to_the_limit_of_a_path() -> None:
    """VERP, SRS and ticket systems; an address of ours keeps its 64 octets."""
    for local in ("x" * 65, "SRS0=" + "y" * 200, '"' + "z" * 100 + '"'):
        assert parse_recipient(f"{local}@far.test").domain == "far.test"
        assert parse_sender(f"{local}@far.test").exact
    for text in (
        "x" * 246 + "@far.test",
        "é" * 123 + "@far.test",
        "a\n@far.test",
        "a\ud800@far.test",
        '"\udfff"@far.test',
    ):
        with pytest.raises(BadAddress):
            parse_recipient(text)
    with pytest.raises(BadAddress):
        parse_own("x" * 65 + "@here.test")
