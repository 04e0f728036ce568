"""Certificates per host name (S4): files in the certificates folder, in force without a restart."""

import os
from pathlib import Path
from typing import Annotated

import typer

from postrider.commands.common import Json, fail, settings, show, table

app = typer.Typer(help="TLS certificates per host name.", no_args_is_help=True)


def _folder() -> Path:
    known = settings()
    return Path(known.get("CERTIFICATES") or Path(known["STATE"]) / "certificates")


@app.command("add")
def add(
    name: str,
    cert: Annotated[Path, typer.Option(help="The certificate with its chain, PEM.")],
    key: Annotated[Path, typer.Option(help="Its private key, PEM.")],
    json: Json = False,
) -> None:
    """Serve a certificate to clients that dial NAME; `default` is the shared one."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    name = name.lower().rstrip(".")
    if not name or "/" in name or name.startswith("."):
        fail(f"{name!r} is not a host name")
    folder = _folder()
    if not folder.is_dir():
        fail(f"there is no certificates folder at {folder}; start the service once, or set POSTRIDER_CERTIFICATES")
    try:
        chain, secret = cert.read_bytes(), key.read_bytes()
        leaf = x509.load_pem_x509_certificates(chain)[0]
        private = serialization.load_pem_private_key(secret, None)
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}")
        return
    except (ValueError, TypeError, IndexError):
        fail("the files are not a PEM certificate and an unencrypted PEM key")
        return
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        fail("the key does not belong to the certificate")
    place = folder / name
    place.mkdir(exist_ok=True)
    _write(place / "tls.key", secret, 0o600)
    _write(place / "tls.crt", chain, 0o644)
    show(
        {"name": name, "expires": leaf.not_valid_after_utc.isoformat(), "path": str(place)},
        json,
        f"{name} has its certificate, valid until {leaf.not_valid_after_utc:%Y-%m-%d}",
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all: a service may look at any moment."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    part.replace(path)


@app.command("ls")
def ls(json: Json = False) -> None:
    """List certificates and when they expire."""
    from cryptography import x509  # noqa: PLC0415

    rows = []
    for file in sorted(_folder().glob("*/tls.crt")):
        try:
            expires = x509.load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc.isoformat()
        except (OSError, ValueError, IndexError):
            expires = "unreadable"
        rows.append({"name": file.parent.name, "expires": expires, "path": str(file.parent)})
    table(rows, json, {"name": "NAME", "expires": "EXPIRES", "path": "PATH"}, "there are no certificates")
