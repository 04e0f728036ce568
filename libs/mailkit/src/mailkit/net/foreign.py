"""Connections that speak another protocol: browsers abused to send mail, port scanners, TLS on a plain port.

They are closed without a reply: the body of an HTTP request would be read as commands.
"""

import re

from prometheus_client import Counter

from mailkit.process.metrics import from_zero

KINDS = ("http", "tls")
FOREIGN = from_zero(
    Counter(
        "postrider_listener_foreign_total",
        "Connections dropped because they began with an HTTP request (http) or a TLS handshake (tls)",
        ["kind"],
    ),
    KINDS,
)

_HTTP = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|PATCH|PRI) +(?:/|\*|https?:)|CONNECT +[^ \r\n]")


def foreign(first: bytes) -> str | None:
    """Return the kind, one of KINDS, of a connection's first octets and count it; None if they may be a mail client's."""
    kind = "tls" if first.startswith(b"\x16\x03") else "http" if _HTTP.match(first) else None
    if kind is not None:
        FOREIGN.labels(kind).inc()
    return kind
