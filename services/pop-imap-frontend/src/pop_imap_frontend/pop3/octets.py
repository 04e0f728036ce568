"""A message as RETR and TOP send it (RFC 1939 3). Pure."""


def stuffed(raw: bytes) -> bytes:
    """A multi-line response's lines and its end."""
    if raw[:1] == b".":
        raw = b"." + raw
    if b"\r\n." in raw:
        raw = raw.replace(b"\r\n.", b"\r\n..")
    return raw + (b"\r\n.\r\n" if open_end(raw) else b".\r\n")


def open_end(raw: bytes) -> bool:
    """Its last line has no end of its own, and gets one."""
    return bool(raw) and not raw.endswith(b"\r\n")
