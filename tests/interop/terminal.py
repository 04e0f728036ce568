"""A program that wants a terminal gets one, whatever the test runner's own input is."""

import os
import pty
import select
import signal
import time
from pathlib import Path

_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def in_terminal(*words: str, home: Path, seconds: float = 60) -> str:
    """Run `words` on a terminal of their own; what they wrote on it. Fails when they do not end well within `seconds`."""
    child, screen = pty.fork()
    if child == 0:
        try:
            os.execvpe(words[0], words, {"TERM": "xterm", "HOME": str(home), "PATH": _PATH, "LANG": "C.UTF-8"})
        finally:
            os._exit(127)
    written = bytearray()
    ends = time.monotonic() + seconds
    try:
        while octets := _read(screen, ends - time.monotonic()):
            written += octets
        if time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shown = written.decode(errors="replace")
    assert status == 0, f"{words[0]} ended with {status} after at most {seconds} s; it showed: {shown[-2000:]}"
    return shown


def _read(screen: int, seconds: float) -> bytes:
    """What was written next; empty at the end or when nothing came within `seconds`."""
    if seconds <= 0 or not select.select([screen], [], [], seconds)[0]:
        return b""
    try:
        return os.read(screen, 65536)
    except OSError:  # EIO: the last writer has closed its side
        return b""
