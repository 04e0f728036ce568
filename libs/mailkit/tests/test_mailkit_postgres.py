"""The tests' own Postgres: shared by processes of a session, and gone with the last of them, however it ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from mailkit.testing.speed import patient

USER = """
import sys
from mailkit.testing.postgres import databases
found = databases()
found.execute("create table t (n int)", found.create())
print(found.admin_dsn, flush=True)
sys.stdin.readline()
"""


def gone(condition, seconds=15.0):
    end = time.monotonic() + patient(seconds)
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_two_processes_share_a_server_that_ends_with_the_last_even_by_sigkill():
    key = f"kill{os.getpid()}"
    env = os.environ | {"PYTEST_XDIST_TESTRUNUID": key, "POSTRIDER_TEST_DATABASE_URL": ""}
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    lines = {user.stdout.readline() for user in users}
    assert len(lines) == 1
    folder = Path(lines.pop().strip().partition("host=")[2])
    assert key[:12] in folder.name

    def serving():
        return [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]

    users[0].communicate("\n")
    assert serving()
    users[1].send_signal(signal.SIGKILL)
    users[1].communicate()
    assert gone(lambda: not serving() and not folder.exists())
