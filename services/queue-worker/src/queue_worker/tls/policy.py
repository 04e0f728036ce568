"""The TLS policy for a connection to a remote host, and the contexts for it (S6, S11; decisions 10, 83, 95, 97)."""

import functools
import ssl
from dataclasses import dataclass
from typing import Literal

#: OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT; the module names it from Python 3.12 on.
_LEGACY_SERVER_CONNECT = 0x4

Kind = Literal["opportunistic", "route", "mta-sts", "mta-sts-testing", "dane", "dane-unusable", "requiretls"]

#: The policies in words, for operators.
_MEANING: dict[Kind, str] = {
    "opportunistic": "STARTTLS where the host offers it (S6), no plain text if it then fails (S11); names and chains are not verified",
    "route": "required: the smart host's name and chain are verified (docs/decisions/0083)",
    "mta-sts": "required: the host's name and chain are verified (RFC 8461, mode enforce)",
    "mta-sts-testing": "the host's name and chain are verified; a failure is only reported (RFC 8461, mode testing)",
    "dane": "required: the certificate matches a TLSA record (RFC 7672)",
    "dane-unusable": "required: there are TLSA records, none of which can be used, so nothing is verified (RFC 7672 2.2)",
    "requiretls": "required by the sender (REQUIRETLS, RFC 8689): the host's name and chain are verified",
}


@dataclass(frozen=True, slots=True)
class Tlsa:
    """A TLSA record (RFC 6698 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """How TLS is used with one host."""

    kind: Kind = "opportunistic"
    record: str = ""
    """The record that asks for it, for the trace; "" if there is none."""
    verifies: bool = False
    """Whether the name and the chain of the certificate are verified."""
    only_reported: bool = False
    """Whether mail is sent as by `OPPORTUNISTIC` if that fails."""
    tlsa: tuple[Tlsa, ...] = ()
    """The records of which the certificate has to match one."""
    names: tuple[str, ...] = ()
    """With `tlsa`: the name to send as SNI, then others that a certificate under a DANE-TA record may have (RFC 7672 3.2)."""

    published: str = ""
    """For reports (RFC 8460 4.2): the policy as the domain published it, in lines."""
    mx: tuple[str, ...] = ()
    """For reports: the patterns of its hosts."""
    requiretls: bool = False
    """Whether the host has to offer REQUIRETLS (RFC 8689)."""

    @property
    def demands(self) -> bool:
        """Whether a connection by this policy has TLS."""
        return self.authenticates or self.kind == "dane-unusable"

    @property
    def authenticates(self) -> bool:
        """Whether the certificate is verified."""
        return self.verifies or bool(self.tlsa)

    def context(self, ca_file: str) -> ssl.SSLContext:
        """Return the context of a connection; what `tlsa` asks for is compared after the handshake."""
        return verified(ca_file) if self.verifies else unverified() if self.tlsa else opportunistic()

    def server_name(self, host: str) -> str | None:
        """Return the name to send as SNI, that of the MX; None for an address literal (RFC 6066 3)."""
        return self.names[0] if self.names else None if host.startswith("[") else host

    @property
    def words(self) -> str:
        """The policy and what asks for it, for operators."""
        cause = f"; {self.record}" if self.record else ""
        return f"{self.kind}: {_MEANING[self.kind]}{cause}"

    def facts(self, tls: str) -> str:
        """Return what the trace says of a connection: `tls`, how it was made, and the record of the policy, if there is one."""
        return f"{tls} ({self.kind}: {self.record})" if self.record else tls


@dataclass(frozen=True, slots=True)
class HostRefused:
    """Why no mail may be sent to a host; a `status` of class 5 is final."""

    text: str
    status: str = "4.7.5"


OPPORTUNISTIC = TlsPolicy()
ROUTE = TlsPolicy("route", verifies=True)


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
def unverified() -> ssl.SSLContext:
    """Return a context for connections whose certificate is compared with TLSA records (RFC 7672 3.1)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@functools.cache
def verified(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies name and chain, with the system's authorities and those in `ca_file`, if given."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
