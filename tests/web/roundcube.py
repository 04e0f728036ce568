"""Debian's Roundcube under PHP's built-in server on loopback, with SQLite, for a running service."""

import os
import re
import secrets
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.run import Run, wait_for

PAGES = Path("/var/lib/roundcube/public_html")
_CONFIG = """\
<?php
$config = [
    'db_dsnw' => 'sqlite:///{home}/roundcube.db?mode=0600',
    'imap_host' => 'ssl://localhost:{imaps}',
    'imap_conn_options' => ['ssl' => ['cafile' => '{ca}', 'verify_peer' => true]],
    'smtp_host' => 'ssl://localhost:{smtps}',
    'smtp_conn_options' => ['ssl' => ['cafile' => '{ca}', 'verify_peer' => true]],
    'smtp_user' => '%u',
    'smtp_pass' => '%p',
    'des_key' => '{key}',
    'plugins' => [],
    'skin' => 'elastic',
    'language' => 'en_US',
    'log_driver' => 'file',
    'log_dir' => '{home}/logs/',
    'temp_dir' => '{home}/temp/',
    'imap_debug' => true,
    'smtp_debug' => true,
    'mail_pagesize' => 50,
    'enable_spellcheck' => false,
];
"""


class Roundcube:
    """A running Roundcube; `url` is its login page."""

    def __init__(self, home: Path, run: Run) -> None:
        self.home = home
        for folder in ("config", "logs", "temp"):
            (home / folder).mkdir()
        for name in ("defaults.inc.php", "mimetypes.php"):
            (home / "config" / name).symlink_to(Path("/etc/roundcube") / name)
        (home / "config" / "config.inc.php").write_text(
            _CONFIG.format(
                home=home, imaps=run.port("IMAPS"), smtps=run.port("SMTPS"), ca=run.ca_file, key=secrets.token_hex(12)
            )
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        with open(home / "php.log", "wb") as output:
            self.process = subprocess.Popen(
                ["php", "-S", f"127.0.0.1:{port}", "-t", PAGES],
                env=os.environ | {"ROUNDCUBE_CONFIG_DIR": str(home / "config"), "PHP_CLI_SERVER_WORKERS": "4"},
                cwd=PAGES,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )
        wait_for(self._answers, 30, f"Roundcube answers: {home}/php.log")

    def close(self) -> None:
        """End the server and its workers."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(patient(10))

    def commands(self) -> list[str]:
        """Return the IMAP commands sent so far, without their tags."""
        log = self.home / "logs" / "imap.log"
        return re.findall(r"C: [A-Z]\d+ (.*)", log.read_text()) if log.exists() else []

    def errors(self) -> str:
        """Return Roundcube's log of errors."""
        file = self.home / "logs" / "errors.log"
        return file.read_text() if file.exists() else ""

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=patient(10)) as page:
                return b"rcmloginuser" in page.read()
        except (OSError, urllib.error.URLError):
            return False
