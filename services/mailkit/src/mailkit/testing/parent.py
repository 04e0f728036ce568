"""What a test run starts ends with it, however it ends: the kernel signals the children of a process that was killed."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """A `preexec_fn` for `subprocess.Popen`: the new process gets signal `number` when the thread that started it is gone.

    It is called after the change of user, which would take it back. Linux only (prctl(2), PR_SET_PDEATHSIG).
    """
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it went before we asked
            os.kill(os.getpid(), number)

    return ask
