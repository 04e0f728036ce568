"""Processes that end with the test run that started them: the kernel signals the children of a killed process."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` for `subprocess.Popen`: the process gets signal `number` when the thread that started it ends.

    It is called after the change of user, which would reset it. Linux only (prctl(2), PR_SET_PDEATHSIG).
    """
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it ended before the call
            os.kill(os.getpid(), number)

    return ask
