"""Messages for tests."""

import secrets


def message(
    sender: str, to: str, *, subject: str = "test", body: str = "Hello,\r\n.dot\r\n..two\r\n\r\nbye\r\n", mid: str = ""
) -> bytes:
    """A small message with CRLF line ends, lines that begin with dots, and a Message-ID of its own."""
    mid = mid or f"<{secrets.token_hex(8)}@client.test>"
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {mid}\r\n"
        f"Date: Mon, 23 Nov 2026 11:20:00 +0000\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}"
    ).encode()


def sized(sender: str, to: str, octets: int) -> bytes:
    """A message of exactly `octets` octets, lines of 78 at most."""
    head = message(sender, to, body="")
    line = b"x" * 76 + b"\r\n"
    rest = octets - len(head)
    body = line * (rest // len(line))
    left = rest - len(body)
    if left == 1:
        body, left = body[: -len(line)], left + len(line)
    if left:
        body += b"y" * (left - 2) + b"\r\n"
    assert len(head + body) == octets
    return head + body
