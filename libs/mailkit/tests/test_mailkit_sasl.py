"""SASL exchanges in base64: PLAIN and LOGIN, with and without an initial response, cancelled and malformed."""

import base64
from collections.abc import Sequence

import pytest

from mailkit.mail.sasl import MECHANISMS, Cancelled, Exchange, Malformed, Password


def coded(text: bytes) -> bytes:
    return base64.b64encode(text)


async def run(name: str, initial: bytes, lines: Sequence[bytes]) -> tuple[Password, list[bytes]]:
    """The result, and the challenges that were sent, decoded."""
    left, sent = list(lines), []

    async def challenge(text: bytes) -> bytes:
        sent.append(base64.b64decode(text, validate=True))
        return left.pop(0)

    found = await MECHANISMS[name](Exchange(initial, challenge))
    assert not left
    return found, sent


@pytest.mark.parametrize("message", [b"\0u\0p", b"other\0u\0p"])
async def test_plain(message):
    assert await run("PLAIN", coded(message), []) == (Password("u", "p"), [])
    assert await run("PLAIN", b"", [coded(message) + b" "]) == (Password("u", "p"), [b""])


async def test_login():
    asked = [b"Username:", b"Password:"]
    assert await run("LOGIN", b"", [coded(b"u"), coded("pä".encode())]) == (Password("u", "pä"), asked)
    assert await run("LOGIN", coded(b"u"), [coded(b"p")]) == (Password("u", "p"), asked[1:])


async def test_an_empty_response_is_a_line_or_an_equals_sign():
    assert await run("LOGIN", b"=", [b"="]) == (Password("", ""), [b"Password:"])
    assert await run("LOGIN", b"=", [coded(b"p")]) == (Password("", "p"), [b"Password:"])
    assert await run("LOGIN", b"", [b"", b""]) == (Password("", ""), [b"Username:", b"Password:"])


@pytest.mark.parametrize("name", list(MECHANISMS))
async def test_cancelled(name):
    with pytest.raises(Cancelled):
        await run(name, b"", [b"*"])


@pytest.mark.parametrize(
    "line", [b"not base64!", b"AAAA=", "ä".encode(), coded(b"\xff\0u\0p"), coded(b"u\0p"), coded(b"a\0b\0c\0d")]
)
async def test_malformed(line):
    with pytest.raises(Malformed):
        await run("PLAIN", line, [])


def test_a_password_is_not_printed():
    assert "secret" not in repr(Password("u", "secret"))
