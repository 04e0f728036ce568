"""A program that wants a terminal gets one, whatever the test runner's own input is."""

import os
import pty
import select
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from mailkit.testing.speed import patient

_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def in_terminal(
    *words: str,
    home: Path,
    keys: Sequence[tuple[str, str]] = (),
    env: dict[str, str] | None = None,
    seconds: float = 60,
) -> str:
    """Run `words` on a terminal of their own; what they wrote on it. Fails when they do not end well within `seconds`.

    `keys`: what to type, each when its text has appeared since the one before.
    """
    given = {"TERM": "xterm", "HOME": str(home), "PATH": _PATH, "LANG": "C.UTF-8", **(env or {})}
    child, screen = pty.fork()
    if child == 0:
        try:
            os.execvpe(words[0], words, given)
        finally:
            os._exit(127)
    written = bytearray()
    todo, seen = list(keys), 0
    seconds = patient(seconds)
    ends = time.monotonic() + seconds
    try:
        while octets := _read(screen, ends - time.monotonic()):
            written += octets
            if todo and (at := written.find(todo[0][0].encode(), seen)) >= 0:
                os.write(screen, todo[0][1].encode())
                seen = at + len(todo.pop(0)[0])
        if time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shown = written.decode(errors="replace")
    assert not todo, f"{words[0]} never showed {todo[0][0]!r}; it showed: {shown[-2000:]}"
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
