"""The oldest TLS version that each listener accepts: 1.2, unless `POSTRIDER_TLS_MINIMUM` is set (decision 0044)."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence

from mailkit.errors import ConfigError
from mailkit.process.logs import get_logger

log = get_logger()

SMTP_LISTENERS = ("smtp", "smtps", "submission")
MAILBOX_LISTENERS = ("pop3", "pop3s", "imap", "imaps")
VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
#: The oldest version that RFC 8996 does not deprecate.
SECURE = ssl.TLSVersion.TLSv1_2
_OLD = ("TLSv1", "TLSv1.1")  # as ssl.SSLObject.version names them

#: The oldest accepted version, by listener.
Minimums = Mapping[str, ssl.TLSVersion]


def tls_minimums(parts: Sequence[str], listeners: Iterable[str]) -> Minimums:
    """Return the oldest version of each of `listeners`, from parts like `1.2` (all that are not named) and `pop3s=1.0`.

    Names of listeners of other services are accepted. Raises ConfigError in one sentence.
    """
    found: dict[str, ssl.TLSVersion] = {}
    for part in parts:
        name, named, version = (text.strip() for text in part.rpartition("="))
        if named and name not in SMTP_LISTENERS + MAILBOX_LISTENERS:
            known = ", ".join(SMTP_LISTENERS + MAILBOX_LISTENERS)
            raise ConfigError(f"POSTRIDER_TLS_MINIMUM: {name!r} is not a listener; there are {known}")
        if version not in VERSIONS:
            raise ConfigError(f"POSTRIDER_TLS_MINIMUM: {version!r} is not one of {', '.join(VERSIONS)}")
        if name in found:
            raise ConfigError(f"POSTRIDER_TLS_MINIMUM: {name or 'the version of all listeners'} is given twice")
        found[name] = VERSIONS[version]
    return {name: found.get(name, found.get("", SECURE)) for name in listeners}


def new_context(minimum: ssl.TLSVersion) -> ssl.SSLContext:
    """Create a server context without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if minimum < SECURE:
        # TLS 1.0 and 1.1 sign with MD5 and SHA-1 and have only cipher suites with SHA-1: OpenSSL accepts neither above
        # level 0, and Python's default list does not contain the suites.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def warn_of_minimums(minimums: Minimums) -> None:
    """Log each listener that accepts versions which RFC 8996 forbids."""
    names = {version: name for name, version in VERSIONS.items()}
    for listener, minimum in minimums.items():
        if minimum < SECURE:
            log.warning("old_tls_allowed", listener=listener, minimum=names[minimum])


def negotiated(transport: asyncio.BaseTransport) -> str:
    """Return the connection's TLS version as OpenSSL names it (`TLSv1.3`); empty in plain text."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return (connection.version() if connection is not None else None) or ""


def warn_of_old(version: str, listener: str, client: str | None) -> None:
    """Log a connection below TLS 1.2 after its handshake, so that operators see which clients still need it."""
    if version in _OLD:
        log.warning("old_tls_used", listener=listener, client=client, version=version)
