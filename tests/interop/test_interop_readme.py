"""The commands of the README work as they are printed."""

import os
import re
import subprocess
from pathlib import Path

from tests.support.run import Run


def test_a_first_message(run: Run) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.S)
    done = subprocess.run(
        ["bash", "-e", "-c", block],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"POSTRIDER_STATE": str(run.state)},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("Subject: hello") >= 3, "sent, read by IMAP and by POP3"
    assert "the queue is empty" in done.stdout
    assert "alice@postrider.test" not in done.stderr
