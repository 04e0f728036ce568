"""SASL PLAIN, the one mechanism of both protocols (RFC 4616; RFC 5034 for POP3, RFC 3501 6.2.2 for IMAP)."""

import base64

#: Limit of the response line (octets): longer than a command line of POP3 may be.
LINE = 4096


def plain(response: bytes | str) -> tuple[str, str]:
    """Return (user name, password) of a response in base64. Raises ValueError."""
    _authorise, user, password = base64.b64decode(response, validate=True).decode().split("\0")
    return user, password
