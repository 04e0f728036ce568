"""The disk's reserve (decision 12): new mail is refused before the database itself runs out of space and panics."""

import os
import time


class Disk:
    """Looks at the file system that holds `path`, at most once a second. Without a path it never says full."""

    def __init__(self, path: str, reserve: int) -> None:
        self._path = path
        self._reserve = reserve
        self._looked = 0.0
        self._full = False

    def is_full(self) -> bool:
        """Less than the reserve is free."""
        if not self._path:
            return False
        now = time.monotonic()
        if now - self._looked > 1:
            self._looked = now
            try:
                room = os.statvfs(self._path)
                self._full = room.f_bavail * room.f_frsize < self._reserve
            except OSError:
                self._full = False
        return self._full
