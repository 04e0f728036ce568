"""The TLS policy for connections to remote hosts: opportunistic TLS (S6, S11, decision 10)."""

import functools
import ssl

#: OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT; the module names it from Python 3.12 on.
_LEGACY_SERVER_CONNECT = 0x4

#: The policy in words, for operators.
OPPORTUNISTIC = "opportunistic: STARTTLS where the host offers it (S6), no plain text if it then fails (S11); names and chains are not verified"

VERIFIED = "required: the smart host's name and chain are verified (docs/decisions/0083)"


@functools.cache
def opportunistic() -> ssl.SSLContext:
    """Return a context that verifies neither name nor chain (RFC 7435 3) and accepts what old servers still speak.

    Weak encryption is better than the plain text that the same host would get without STARTTLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.options |= _LEGACY_SERVER_CONNECT  # servers without secure renegotiation (RFC 5746)
    try:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # SHA-1 signatures, short keys
    except ssl.SSLError:
        context.set_ciphers("DEFAULT")
    return context


@functools.cache
def verified(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies name and chain, with the system's authorities and those in `ca_file`, if given."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def server_name(host: str) -> str | None:
    """Return the name to send as SNI, that of the MX; None for an address literal (RFC 6066 3)."""
    return None if host.startswith("[") else host
