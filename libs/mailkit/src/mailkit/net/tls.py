"""Certificates of all listeners: chosen by the name that the client asks for (S4), reloaded when their files change.

`<directory>/default/{tls.crt,tls.key}` is the shared certificate; `<directory>/<host name>/{tls.crt,tls.key}` are those of
single names, a wildcard's folder being `*.example.net`. A mounted Kubernetes secret looks the same, swapped by symlink; its
folder has the secret's name, and the certificate serves the names it was issued for. A folder named after the host wins.
"""

import asyncio
import ctypes
import os
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from prometheus_client import Gauge

from mailkit.errors import ConfigError
from mailkit.net.tls_versions import Minimums, new_context, warn_of_minimums
from mailkit.process.logs import get_logger
from mailkit.process.report import report

log = get_logger()

DEFAULT = "default"
#: Least time, in seconds, between two looks at a folder's files; a handshake that asks for its name causes them.
LOOK_SECONDS = 1.0
#: Limit of names kept loaded; a context and its chain take some 50 KB.
MOST_LOADED = 2000

_M_MMAP_THRESHOLD = -3  # malloc.h

_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")

CERTIFICATES = Gauge("postrider_tls_certificates", "Certificates on disk by state: readable, broken", ["state"])
EXPIRY = Gauge(
    "postrider_tls_expiry_timestamp_seconds",
    "When a certificate expires: the shared one (default), the first of all (soonest)",
    ["which"],
)

#: One certificate's context for each minimum version in use.
Contexts = Mapping[ssl.TLSVersion, ssl.SSLContext]
#: Identity and age of both files: any change, also of a symlink, is a new signature.
Signature = tuple[tuple[int, int, int, int], tuple[int, int, int, int]]


@dataclass(slots=True)
class _Loaded:
    """One folder as it was last read. `contexts` None: there is no usable certificate in it."""

    contexts: Contexts | None
    signature: Signature | None
    looked: float


@dataclass(frozen=True, slots=True)
class _Facts:
    """Expiry and names of a certificate whose files have `signature`."""

    signature: Signature
    expires: datetime
    names: tuple[str, ...]


class CertificateStore:
    """The certificates in `directory`, for the listeners in `minimums`, which gives the oldest TLS version of each.

    Raises ConfigError if the shared certificate cannot be used; a version below 1.2 is logged. Handshakes under way and open
    sessions keep the certificate they began with.
    """

    def __init__(
        self, directory: str | Path, minimums: Minimums, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        keep_idle_connections_small()
        self._directory = Path(directory)
        self._minimums = minimums
        self._monotonic = monotonic
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._facts: dict[str, _Facts] = {}
        self._issued_for: dict[str, str] = {}
        signature = self._signature(DEFAULT)
        if signature is None:
            raise ConfigError(f"there is no certificate: {self._directory / DEFAULT}/tls.crt and tls.key are needed")
        try:
            self._default = self._read(DEFAULT)
        except (OSError, ValueError) as error:
            raise ConfigError(f"the certificate in {self._directory / DEFAULT} cannot be used: {_why(error)}") from None
        self._loaded[DEFAULT] = _Loaded(self._default, signature, monotonic())
        self._fronts = self._read(DEFAULT)
        for front in self._fronts.values():
            front.sni_callback = self._choose
        warn_of_minimums(minimums)

    def server_context(self, listener: str) -> ssl.SSLContext:
        """Return the listener's context, for STARTTLS too. It stays valid: each handshake chooses its certificate."""
        return self._fronts[self._minimums[listener]]

    def context_for(self, name: str | None, listener: str) -> ssl.SSLContext:
        """Return the context with the certificate for `name`: the exact name's, then a wildcard's, then the shared one.

        The exact and the wildcard name are looked for among folders first, then among the names in certificates (as
        `expiries` read them last).
        """
        return self._contexts_for(name)[self._minimums[listener]]

    def _contexts_for(self, name: str | None) -> Contexts:
        name = (name or "").lower().rstrip(".")
        if name and name != DEFAULT and len(name) <= 253 and _NAME.fullmatch(name):
            _, dot, parent = name.partition(".")
            for wanted in (name, f"*.{parent}") if dot else (name,):
                found = self._look(wanted)
                if found is None and (folder := self._issued_for.get(wanted)) is not None:
                    found = self._look(folder)
                if found is not None:
                    return found
        return self._look(DEFAULT) or self._default

    def _choose(self, connection: ssl.SSLObject, name: str | None, front: ssl.SSLContext) -> None:
        # TLS versions stay those of `front`; ciphers and the security level are those of the certificate's context.
        try:
            connection.context = self._contexts_for(name)[front.minimum_version]
        except Exception as error:  # a bug here must not end all handshakes
            report(error, "choose a certificate")

    # -- one folder

    def _look(self, name: str) -> Contexts | None:
        """Return the folder's contexts, read again if its files changed; a broken new file leaves the old one in force."""
        now = self._monotonic()
        known = self._loaded.get(name)
        if known is not None:
            self._loaded.move_to_end(name)
            if now - known.looked < LOOK_SECONDS:
                return known.contexts
            known.looked = now
        signature = self._signature(name)
        if known is None:
            if signature is None:
                return None  # not kept: invented names must not evict real ones
            known = self._loaded[name] = _Loaded(None, None, now)
            if len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)
        if signature == known.signature:
            return known.contexts
        known.signature = signature
        if signature is None:  # removed; only the shared one stays in force
            known.contexts = None
            return None
        try:
            known.contexts = self._read(name)
        except (OSError, ValueError) as error:
            log.error("certificate_broken", name=name, error=_why(error), old_in_force=known.contexts is not None)
        else:
            log.info("certificate_loaded", name=name)
            if name == DEFAULT:
                self._default = known.contexts
        return known.contexts

    def _signature(self, name: str) -> Signature | None:
        try:
            certificate, key = (os.stat(self._directory / name / file) for file in ("tls.crt", "tls.key"))
        except OSError:
            return None
        return _identity(certificate), _identity(key)

    def _read(self, name: str) -> Contexts:
        """Return contexts with the folder's chain and key. Raises OSError, ValueError."""
        folder = self._directory / name
        contexts = {minimum: new_context(minimum) for minimum in set(self._minimums.values())}
        for context in contexts.values():
            # A key with a pass phrase must not ask for it on the terminal.
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key", password=lambda: "")
        return contexts

    # -- expiry, for metrics and `certificate ls`

    def expiries(self) -> dict[str, datetime]:
        """Return when each certificate on disk expires, by folder name; folders without a readable one are left out."""
        found: dict[str, _Facts] = {}
        broken = 0
        for name in sorted(os.listdir(self._directory)):
            if not _NAME.fullmatch(name) or (signature := self._signature(name)) is None:
                continue
            known = self._facts.get(name)
            if known is None or known.signature != signature:
                try:
                    known = _read_facts(self._directory / name / "tls.crt", signature)
                except (OSError, ValueError):
                    broken += 1
                    continue
            found[name] = known
        self._facts = found
        # of several for one name, the one that expires last
        by_expiry = sorted(found.items(), key=lambda item: item[1].expires)
        self._issued_for = {dns: folder for folder, facts in by_expiry for dns in facts.names}
        times = {name: facts.expires for name, facts in found.items()}
        CERTIFICATES.labels("readable").set(len(times))
        CERTIFICATES.labels("broken").set(broken)
        EXPIRY.labels("soonest").set(min(times.values(), default=datetime.fromtimestamp(0, UTC)).timestamp())
        EXPIRY.labels("default").set(times.get(DEFAULT, datetime.fromtimestamp(0, UTC)).timestamp())
        return times

    async def measure(self) -> None:
        """Read the names of all certificates and set the metrics; to be called at start and regularly (`Lifecycle.every`)."""
        await asyncio.to_thread(self.expiries)


def _read_facts(path: Path, signature: Signature) -> _Facts:
    """Read a certificate. Raises OSError, ValueError."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return _Facts(signature, certificate.not_valid_after_utc, ())
    dns = tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    return _Facts(signature, certificate.not_valid_after_utc, dns)


def keep_idle_connections_small() -> None:
    """Let glibc map every block over 128 KB on its own, for the life of the process.

    uvloop gives each TLS connection a buffer of 256 KB, hardly any of which is touched. glibc moves such blocks to the
    heap, where their pages are, as soon as one has been freed: 50 KB of memory per idle connection instead of 27.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    except (OSError, AttributeError):
        pass  # another C library


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _why(error: Exception) -> str:
    """Return the library's reason, without file contents and without OpenSSL's own source lines."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not a certificate and its key").replace("_", " ").lower()
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
