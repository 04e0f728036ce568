"""Passwords for one device or program of a mailbox: what they look like and what they are good for (docs/decisions/0123)."""

import base64
import hashlib
import hmac
import os
from datetime import datetime

from auth.storage.app_passwords import Secret
from mailkit.mail.address import Networks
from mailkit.postgres.rows import Row

#: Octets of a new one, and its characters: 30 bits by which it is found, 130 that have to be guessed.
_OCTETS, _LENGTH, _SELECTOR = 20, 32, 6
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz234567")
#: Longest text that may be one: with a separator after each character.
_LONGEST = 2 * _LENGTH

PROTOCOLS = ("smtp", "pop3", "imap")


def generate() -> tuple[str, Secret]:
    """Return a new app password, in groups of four characters as it is shown, and what is stored of it."""
    text = base64.b32encode(os.urandom(_OCTETS)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4)), _secret(text)


def parse(password: str) -> Secret | None:
    """Return what is stored of the app password that a client may have sent, typed in upper case or with other separators.

    None: it is none, and at most a mailbox's own password.
    """
    if len(password) > _LONGEST:
        return None
    text = password.replace("-", "").replace(" ", "").lower()
    return _secret(text) if len(text) == _LENGTH and _ALPHABET.issuperset(text) else None


def allows(row: Row, secret: Secret | None, protocol: str, client: str | None, now: datetime) -> bool:
    """Return whether `secret` is the row's app password, and good for this protocol, client address and time."""
    if secret is None or row["app_number"] is None or not hmac.compare_digest(row["app_digest"], secret.digest):
        return False
    networks = row["app_networks"]
    inside = not networks or (client is not None and client in Networks(networks))
    expires = row["app_expires"]
    return inside and protocol in row["app_protocols"] and (expires is None or expires > now)


def credential(row: Row, credential_version: int) -> tuple[str, bool]:
    """Return which app password a login of the row's mailbox was with ("": none), and whether it may give a grant."""
    if credential_version >= 0 or row["app_number"] != -credential_version:
        return "", credential_version >= 0
    return f"app password {row['app_name']}", "smtp" in row["app_protocols"]


def _secret(text: str) -> Secret:
    return Secret(text[:_SELECTOR], hashlib.sha256(b"postrider app password\0" + text.encode()).digest())
