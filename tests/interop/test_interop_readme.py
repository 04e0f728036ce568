"""The commands of the README work as they are printed."""

import os
import re
import subprocess
from pathlib import Path

from mailkit.testing.speed import patient
from tests.support.clients import inbox, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for

from .terminal import in_terminal

README = Path(__file__).parents[2] / "README.md"


def test_a_first_message(run: Run) -> None:
    text = README.read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.S)
    done = subprocess.run(
        ["bash", "-e", "-c", block],
        capture_output=True,
        text=True,
        timeout=patient(60),
        env=os.environ | {"POSTRIDER_STATE": str(run.state)},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("Subject: hello") >= 3, "sent, read by IMAP and by POP3"
    assert "the queue is empty" in done.stdout
    assert "alice@postrider.test" not in done.stderr


def test_mutt_as_printed(run: Run, tmp_path: Path) -> None:
    (line,) = re.findall(r"^    (mutt .*)$", README.read_text(), re.M)
    bob = Account(*run.env["POSTRIDER_DEMO_USERS"].split(",")[1].split(":"))
    with smtp(run) as client:
        client.sendmail("", [bob.address], message("a@far.example", bob.address, subject="for mutt"))
    wait_for(lambda: inbox(run, bob))
    shown = in_terminal(
        "bash",
        "-c",
        f'set -a; . "$POSTRIDER_STATE/postrider.env"; BOB=${{POSTRIDER_DEMO_USERS#*,}}; {line}',
        home=tmp_path,
        env={"POSTRIDER_STATE": str(run.state)},
        keys=[("does not exist. Create", "n"), ("assword", bob.password + "\n"), ("for mutt", "q")],
    )
    assert bob.password not in shown
