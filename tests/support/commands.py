"""The command line for tests that call it often: each command is a process of its own, forked from one that has imported it.

Importing costs ten times what a command does. `postrider` itself, with its own start, is what services/postrider/tests try.
"""

import contextlib
import functools
import importlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from mailkit.testing.speed import patient

#: What commands import when they are called.
_LATER = ("auth_api.admin", "mailstore_api.admin", "queue_worker_api.admin", "mailkit.rpc.client", "postrider.cli")
SECONDS = 60


class Commands:
    """The process that forks; `run` waits for one command at a time. It ends with its standard input, when this process does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="postrider-cli-"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands", str(self._folder)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str], env: Mapping[str, str], text: str) -> "subprocess.CompletedProcess[str]":
        """One command with its environment and standard input. Raises TimeoutError."""
        with self._lock:
            files = [self._folder / name for name in ("in", "out", "err")]
            files[0].write_text(text)
            assert self._process.stdin is not None and self._process.stdout is not None
            asked = {"words": list(words), "env": dict(env), "files": [str(file) for file in files]}
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            if not select.select([self._process.stdout], [], [], patient(SECONDS))[0]:
                self._process.kill()
                raise TimeoutError(f"postrider {' '.join(words)} did not end")
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(list(words), status, files[1].read_text(), files[2].read_text())


@functools.cache
def commands() -> Commands:
    """This test process's own."""
    return Commands()


def _serve() -> None:
    for name in _LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def _become(words: list[str], env: dict[str, str], files: list[str]) -> None:
    """In the child: be the command, and end."""
    from postrider import cli

    os.environ.clear()
    os.environ.update(env)
    for number, (file, flags) in enumerate(
        zip(files, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2), strict=True)
    ):
        os.dup2(os.open(file, flags), number)
    sys.stdin = os.fdopen(0)
    sys.argv = ["postrider", *words]
    status = 1
    try:
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
