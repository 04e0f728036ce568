"""Debian's rspamd as the scanner: its actions at the final dot."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from mailkit.testing.dns import FakeDns
from mailkit.testing.parent import end_with_parent
from mailkit.testing.speed import patient
from tests.support.gateway import Services, context, send
from tests.support.run import wait_for

pytestmark = pytest.mark.interop
CONFIG = """
options {{
  dns {{ nameserver = ["{dns}"]; timeout = 0.1s; retransmits = 1; }}
  enable_test_patterns = true;
  pidfile = "{folder}/pid"; tempdir = "{folder}"; dbdir = "{folder}"; rundir = "{folder}"; hs_cache_dir = "{folder}";
}}
logging {{ type = "console"; level = "error"; }}
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; }} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
modules {{ path = "{folder}/plugins"; }}
"""
#: The test patterns that rspamd knows, by their first letter: reject, add header, rewrite subject, no action.
GTUBE = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("rspamd")
    (folder / "plugins").mkdir()
    for path in (folder, folder / "plugins"):
        os.chmod(path, 0o777)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with FakeDns() as dns:
        config = folder / "rspamd.conf"
        config.write_text(CONFIG.format(dns=dns.server, folder=folder, port=port))
        process = subprocess.Popen(
            ["rspamd", "-f", "-i", "-c", str(config)],
            stdout=(folder / "out").open("wb"),
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent(),
        )
        try:
            wait_for(lambda: _answers(port), patient(120), "rspamd answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(patient(20))


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), patient(1)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "action", "folder"),
    [
        ("", "no action", ""),
        ("Y" + GTUBE, "add header", "\\Junk"),
        ("Z" + GTUBE, "rewrite subject", "\\Junk"),
        ("X" + GTUBE, "reject", None),
    ],
)
async def test_what_rspamd_says_of_a_message_is_done(
    rspamd: str, pattern: str, action: str, folder: str | None
) -> None:
    services = Services()
    shared = context(services, scanner_url=rspamd, scanner_seconds=min(60, patient(5)))
    text = f"From: a@far.test\r\nSubject: x\r\nMessage-ID: <{action.replace(' ', '')}@far.test>\r\n\r\nHello.\r\n{pattern}\r\n"
    answer = await send(text.encode() + b".\r\n", shared, sender=b"<a@far.test>")
    assert shared.scanner is not None
    await shared.scanner.aclose()
    if folder is None:
        assert answer == b"550 5.7.1 This message is taken for spam\r\n" and services.taken == []
        return
    (taken,) = services.taken
    (verdict,) = taken.stamp.verdicts
    assert (verdict.result, taken.stamp.folder) == (action, folder), verdict
