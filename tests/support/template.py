"""The state folder that runs of a test session begin with: a database with the newest schemas, made once."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

#: What a run keeps between its starts; its logs and its lock stay behind.
PARTS = ("postgres", "secrets.json", "certificates", "demo.json")


class Template:
    """A state folder in `folder`, which the workers of a test session share.

    `beside`: the folder for copies. `make`: makes a state in the given folder, by a whole first start and a stop; called by
    the first worker that needs it.
    """

    def __init__(self, folder: Path, make: Callable[[Path], None]) -> None:
        self._folder = folder
        self.beside = folder.parent
        self._make = make

    def copy_to(self, state: Path) -> None:
        """Copy the database, the secrets and the certificates into the empty folder `state`, with their owners."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            whole = self._folder / "state"
            if not whole.exists():
                part = self._folder / "part"
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir(mode=0o755)
                self._make(part)
                part.rename(whole)
        command = ["cp", "-a", "--reflink=auto", *(str(whole / name) for name in PARTS), str(state)]
        subprocess.run(command, check=True, capture_output=True)
