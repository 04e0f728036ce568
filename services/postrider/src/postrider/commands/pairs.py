"""Atomic change of a certificate and its key: a crash never leaves a new key beside an old certificate.

Two files cannot be renamed at once, so a name's folder is laid out as Kubernetes lays out a mounted Secret: `tls.crt`
and `tls.key` are links through `..data`, which names the current version and is replaced by one rename.
"""

import fcntl
import os
import shutil
import ssl
import uuid
from pathlib import Path

CERTIFICATE, KEY = "tls.crt", "tls.key"
_DATA = "..data"


class Unusable(Exception):
    """OpenSSL refuses the pair (a key too short, for example)."""


def store(place: Path, chain: bytes, secret: bytes) -> None:
    """Make the pair the current one in the folder `place`, atomically. Raises Unusable, OSError."""
    place.mkdir(exist_ok=True)
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # concurrent calls run one after the other
        try:
            version = _version(place, chain, secret)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(version / CERTIFICATE, version / KEY)
            _adopt(place)
            _link(place / _DATA, version.name)
            for name in (CERTIFICATE, KEY):
                if not _ours(place / name):
                    _link(place / name, f"{_DATA}/{name}")
            os.fsync(handle)
        except ssl.SSLError as error:
            raise Unusable(error.reason or "unknown reason") from None
        finally:
            _tidy(place)
    finally:
        os.close(handle)


def _adopt(place: Path) -> None:
    """Replace files that were put there otherwise (by the first start, by hand) by links to a version of the same content."""
    files = [place / CERTIFICATE, place / KEY]
    strange = [file for file in files if not _ours(file)]
    if strange and all(file.is_file() for file in files):
        _link(place / _DATA, _version(place, *(file.read_bytes() for file in files)).name)
        for file in strange:
            _link(file, f"{_DATA}/{file.name}")


def _ours(file: Path) -> bool:
    return file.is_symlink() and os.readlink(file) == f"{_DATA}/{file.name}"


def _version(place: Path, chain: bytes, secret: bytes) -> Path:
    folder = place / f"..{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    for name, data in ((CERTIFICATE, chain), (KEY, secret)):
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return folder


def _link(path: Path, target: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(path)


def _tidy(place: Path) -> None:
    """Remove all versions but the current one."""
    data = place / _DATA
    current = os.readlink(data) if data.is_symlink() else ""
    for folder in place.glob("..?*"):
        if folder.is_dir() and not folder.is_symlink() and folder.name != current:
            shutil.rmtree(folder, ignore_errors=True)
