"""Where the tests' databases lie: in memory, where there is enough, since a test waits longer for a disk than for anything else.

The servers flush as they do on a disk, and a killed process leaves behind what it would leave there.
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
#: Least free space of a file system in memory; the whole of `make test` takes less than half of it.
NEEDED_BYTES = 4 << 30


def scratch() -> Path:
    """Return the folder for the tests' databases: in memory, or the one for temporary files."""
    if os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free >= NEEDED_BYTES:
        return _MEMORY
    return Path(tempfile.gettempdir())
