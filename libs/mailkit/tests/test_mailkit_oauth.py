"""OAUTHBEARER (RFC 7628 3) and XOAUTH2: messages of the RFC and of Google, malformed ones, and the refusal."""

import base64

import pytest

from mailkit.mail.oauth import MECHANISMS, refuse
from mailkit.mail.sasl import Exchange, Malformed


def exchange(message: bytes, sent: list[bytes] | None = None) -> Exchange:
    async def challenge(text: bytes) -> bytes:
        if sent is not None:
            sent.append(base64.b64decode(text))
        return base64.b64encode(b"\x01")

    return Exchange(base64.b64encode(message), challenge)


@pytest.mark.parametrize(
    ("mechanism", "message", "user"),
    [
        (
            "OAUTHBEARER",  # RFC 7628 4.1
            b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
            "user@example.com",
        ),
        ("OAUTHBEARER", b"n,,\x01auth=bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01", ""),
        ("OAUTHBEARER", b"y,a=a=2Cb=3Dc,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01", "a,b=c"),
        (
            "XOAUTH2",
            b"user=user@example.com\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
            "user@example.com",
        ),
    ],
)
async def test_a_message_names_user_and_token(mechanism: str, message: bytes, user: str) -> None:
    token = await MECHANISMS[mechanism](exchange(message))
    assert (token.user, token.token) == (user, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
    assert "vF9" not in repr(token)


@pytest.mark.parametrize("mechanism", list(MECHANISMS))
@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01\x01",
        b"n,a=u,\x01auth=Bearer x\x01",
        b"n,a=u,\x01\x01",
        b"n,a=u,\x01auth=Basic x\x01\x01",
        b"n,a=u,\x01auth=Bearer \x01\x01",
        b"p=tls-unique,a=u,\x01auth=Bearer x\x01\x01",
        b"n,u,\x01auth=Bearer x\x01\x01",
        b"user=u auth=Bearer x\x01\x01",
        b"\xff\x01auth=Bearer x\x01\x01",
    ],
)
async def test_malformed_messages(mechanism: str, message: bytes) -> None:
    with pytest.raises(Malformed):
        await MECHANISMS[mechanism](exchange(message))


@pytest.mark.parametrize(("mechanism", "status"), [("OAUTHBEARER", b"invalid_token"), ("XOAUTH2", b"401")])
async def test_a_refused_client_is_sent_why(mechanism: str, status: bytes) -> None:
    sent: list[bytes] = []
    message = b"user=u\x01auth=Bearer x\x01\x01" if mechanism == "XOAUTH2" else b"n,a=u,\x01auth=Bearer x\x01\x01"
    begun = exchange(message, sent)
    await refuse(begun, await MECHANISMS[mechanism](begun))
    assert sent == [b'{"status":"%s","schemes":"bearer"}' % status]
