"""A private instance of Debian's Postfix: its own folders, one listening address, ended with the test."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import trustme

from mailkit.testing.speed import patient

_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_SERVICES = {
    "cleanup": "unix n - n - 0",
    "qmgr": "unix n - n 300 1",
    "tlsmgr": "unix - - n 1000? 1",
    "pickup": "unix n - n 60 1",
    "rewrite": "unix - - n - - trivial-rewrite",
    "bounce": "unix - - n - 0",
    "defer": "unix - - n - 0 bounce",
    "trace": "unix - - n - 0 bounce",
    "verify": "unix - - n - 1",
    "flush": "unix n - n 1000? 0",
    "proxymap": "unix - - n - -",
    "smtp": "unix - - n - -",
    "relay": "unix - - n - - smtp",
    "showq": "unix n - n - -",
    "error": "unix - - n - -",
    "retry": "unix - - n - - error",
    "virtual": "unix - n n - -",
    "anvil": "unix - - n - 1",
    "scache": "unix - - n - 1",
    "postlog": "unix-dgram n - n - 1 postlogd",
}


class Postfix:
    """`settings`: lines of main.cf. Mail for `domain` goes into Maildirs below `mail`, by the name in front of the @."""

    def __init__(self, folder: Path, address: str, port: int, settings: str, *, domain: str = "") -> None:
        self.folder, self.etc, self.mail = folder, folder / "etc", folder / "mail"
        for place in ("etc", "queue", "data", "mail"):
            (folder / place).mkdir()
        for above in (folder, *folder.parents):  # Postfix's own user passes through
            if above == Path("/tmp"):
                break
            above.chmod(above.stat().st_mode | 0o011)
        os.chown(self.mail, 65534, 65534)
        shutil.chown(folder / "data", "postfix", "postfix")
        leaf = trustme.CA().issue_cert("mx.postfix.example")
        leaf.private_key_and_cert_chain_pem.write_to_path(self.etc / "tls.pem")
        (self.etc / "boxes").write_text(f"@{domain} inbox/\n" if domain else "")
        (self.etc / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n"
            f"maillog_file = {folder}/log\nmaillog_file_prefixes = {folder}\nmyhostname = mx.postfix.example\nmydestination =\n"
            f"inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = {address}\nlocal_header_rewrite_clients =\nsmtpd_peername_lookup = no\nalias_maps =\nalias_database =\n"
            f"virtual_mailbox_domains = {domain}\nvirtual_mailbox_maps = texthash:{self.etc}/boxes\n"
            f"virtual_mailbox_base = {self.mail}\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n"
            f"{settings}\n"
        )
        rows = [f"{address}:{port} inet n - n - - smtpd"]
        for name, rest in _SERVICES.items():
            words = rest.split()
            rows.append(" ".join([name, *words] if len(words) == 7 else [name, *words, name]))
        (self.etc / "master.cf").write_text("\n".join(rows) + "\n")

    def _do(self, word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["postfix", "-c", str(self.etc), word],
            capture_output=True,
            text=True,
            timeout=patient(30),
            env=_PATH,
            stdin=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        done = self._do("start")
        assert done.returncode == 0, done.stdout + done.stderr + self.log()
        return self

    def __exit__(self, *_: object) -> None:
        self._do("stop")

    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""

    def delivered(self) -> list[bytes]:
        """What lies in the Maildir, as Postfix wrote it: with bare line feeds."""
        return [path.read_bytes() for path in sorted((self.mail / "inbox" / "new").glob("*"))]
