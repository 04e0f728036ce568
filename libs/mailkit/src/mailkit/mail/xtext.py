"""xtext (RFC 3461 4), in which the parameters of notifications are written: `+` and two hexadecimal digits stand for an octet."""

_HEX = frozenset("0123456789ABCDEF")


def decode(text: str) -> str | None:
    """Return what the xtext `text` stands for; None if it is malformed, or stands for anything but printable ASCII."""
    first, *rest = text.split("+")
    decoded = first
    for piece in rest:
        if len(piece) < 2 or not _HEX.issuperset(piece[:2]):
            return None
        decoded += chr(int(piece[:2], 16)) + piece[2:]
    if not all("!" <= char <= "~" and char != "=" for char in text):
        return None
    return decoded if decoded.isascii() and decoded.isprintable() else None
