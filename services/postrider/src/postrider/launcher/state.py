"""The state folder of a run: its lock, its secrets, its certificates, and `postrider.env` for scripts."""

import fcntl
import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import trustme

from mailkit.errors import ConfigError
from postrider.launcher.plan import HOST, LISTEN, SECRET_NAMES, Plan

#: Least free space for a run to start; the services keep POSTRIDER_DISK_RESERVE_BYTES beyond it (decision 12).
NEEDED_BYTES = 64 * 1024 * 1024
ENV_FILE = "postrider.env"


def take(plan: Plan) -> IO[str]:
    """Make the state folder and lock it until the process ends. Raises ConfigError."""
    try:
        plan.state.mkdir(parents=True, exist_ok=True)
        for name in ("logs", "certificates"):
            (plan.state / name).mkdir(exist_ok=True)
        handle = open(plan.state / "lock", "w")  # noqa: SIM115 - held for the life of the process
    except OSError as error:
        raise ConfigError(
            f"cannot write to the state folder {plan.state} ({error.strerror}); set POSTRIDER_STATE to one you own"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigError(
            f"another run already uses {plan.state}; stop it, or set POSTRIDER_STATE and POSTRIDER_PORT_OFFSET for a second one"
        ) from None
    free = shutil.disk_usage(plan.state).free
    if free < NEEDED_BYTES:
        raise ConfigError(
            f"the disk that holds {plan.state} is full ({free // 1024 // 1024} MB free); free some space first"
        )
    (plan.state / ENV_FILE).unlink(missing_ok=True)
    return handle


def check_ports(plan: Plan) -> None:
    """Check that all ports are free. Raises ConfigError, which names the port and what to do."""
    for name, port in plan.ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LISTEN, port))
            except OSError as error:
                raise ConfigError(
                    f"port {port} ({name}) cannot be used ({error.strerror}); stop what uses it or set POSTRIDER_PORT_OFFSET=1000"
                ) from None


def write_private(path: Path, text: str) -> None:
    """Write `text` atomically to a file that only its owner can read."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_secrets(plan: Plan) -> dict[str, str]:
    """Return the service tokens of this state folder, made at the first start. Raises ConfigError."""
    path = plan.state / "secrets.json"
    try:
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        raise ConfigError(f"{path} is damaged; remove it, and new tokens are made") from None
    missing = [name for name in SECRET_NAMES if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        write_private(path, json.dumps(known, indent=1))
    return known


def make_certificates(plan: Plan) -> Path:
    """Make a development CA and the shared certificate at the first start; return the CA's file."""
    ca_file = plan.certificates / "ca.crt"
    default = plan.certificates / "default"
    if ca_file.exists() and (default / "tls.crt").exists():
        return ca_file
    authority = trustme.CA(organization_name="Postrider development CA")
    default.mkdir(exist_ok=True)
    shared = authority.issue_cert(HOST, LISTEN, "::1", f"mail.{plan.demo_domain}", common_name=HOST)
    write_private(default / "tls.key", shared.private_key_pem.bytes().decode())
    (default / "tls.crt").write_text("".join(blob.bytes().decode() for blob in shared.cert_chain_pems))
    write_private(plan.certificates / "ca.key", authority.private_key_pem.bytes().decode())
    ca_file.write_text(authority.cert_pem.bytes().decode())
    return ca_file


def write_env(plan: Plan, values: Mapping[str, str]) -> Path:
    """Write `postrider.env`, the contract with scripts, which exists from when everything is ready until the run ends."""
    path = plan.state / ENV_FILE
    write_private(path, "".join(f"POSTRIDER_{name}={value}\n" for name, value in values.items()))
    return path
