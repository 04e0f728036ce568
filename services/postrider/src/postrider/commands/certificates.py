"""Commands for certificates per host name (S4): files in the certificates folder, used without a restart."""

import re
from pathlib import Path
from typing import Annotated

import typer

from postrider.commands.common import Json, fail, settings, show, table

app = typer.Typer(help="TLS certificates per host name.", no_args_is_help=True)

#: Names that `mailkit.net.tls` looks up by SNI: a host name, `*.` and a host name, or `default`. No others, as they name folders.
_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


def _folder() -> Path:
    known = settings()
    return Path(known.get("CERTIFICATES") or Path(known["STATE"]) / "certificates")


@app.command("add")
def add(
    name: str,
    cert: Annotated[Path, typer.Option(help="The certificate with its chain, PEM.")],
    key: Annotated[Path, typer.Option(help="Its private key, PEM, without a pass phrase.")],
    json: Json = False,
) -> None:
    """Serve a certificate to clients that connect to NAME (`*.NAME` for a wildcard); `default` is the shared one."""
    from cryptography import x509  # noqa: PLC0415 - `--help` needs no OpenSSL
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    from postrider.commands.pairs import Unusable, store  # noqa: PLC0415

    plain = name.lower().rstrip(".")
    if len(plain) > 253 or not _NAME.fullmatch(plain):
        fail(f"{name!r} is not a host name")
    folder = _folder()
    if not folder.is_dir():
        fail(f"there is no certificates folder at {folder}; start the service once, or set POSTRIDER_CERTIFICATES")
    try:
        chain, secret = cert.read_bytes(), key.read_bytes()
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}")
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        certified = leaf.public_key().public_bytes(*form)
        held = serialization.load_pem_private_key(secret, None).public_key().public_bytes(*form)
    except (ValueError, TypeError, IndexError, UnsupportedAlgorithm):
        fail("the files are not a PEM certificate and an unencrypted PEM key")
    if held != certified:
        fail("the key does not belong to the certificate")
    try:
        store(folder / plain, chain, secret)
    except Unusable as error:
        fail(f"TLS cannot use this certificate and key: {error}")
    except OSError as error:
        fail(f"{error.filename or folder} cannot be written: {error.strerror}")
    show(
        {"name": plain, "expires": leaf.not_valid_after_utc.isoformat(), "path": str(folder / plain)},
        json,
        f"{plain} has its certificate, valid until {leaf.not_valid_after_utc:%Y-%m-%d}",
    )


@app.command("ls")
def ls(json: Json = False) -> None:
    """List certificates and when they expire."""
    from cryptography import x509  # noqa: PLC0415

    rows = []
    for file in sorted(_folder().glob("*/tls.crt")):
        expires = None if json else "unreadable"
        try:
            expires = x509.load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc.isoformat()
        except (OSError, ValueError, IndexError):
            pass
        rows.append({"name": file.parent.name, "expires": expires, "path": str(file.parent)})
    table(rows, json, {"name": "NAME", "expires": "EXPIRES", "path": "PATH"}, "there are no certificates")
