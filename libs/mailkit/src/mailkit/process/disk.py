"""The disk reserve (decision 12): new mail is refused before the database runs out of space and panics."""

import os
import time

from prometheus_client import Gauge

FREE = Gauge(
    "postrider_disk_free_bytes",
    "Free on the disk that holds the database, where a service can see it (disk: data)",
    ["disk"],
)
SIZE = Gauge(
    "postrider_disk_size_bytes",
    "Size of the disk that holds the database, where a service can see it (disk: data)",
    ["disk"],
)


class Disk:
    """The file system that holds `path`, read at most once a second; without a path it is never full. `reserve`: in octets."""

    def __init__(self, path: str, reserve: int) -> None:
        self._path = path
        self._reserve = reserve
        self._looked = 0.0
        self._full = False
        if path:
            FREE.labels("data").set_function(lambda: self._room()[0])
            SIZE.labels("data").set_function(lambda: self._room()[1])

    def _room(self) -> tuple[int, int]:
        """Return octets (free for unprivileged processes, in all); 0, 0 if they cannot be read."""
        try:
            found = os.statvfs(self._path)
        except OSError:
            return 0, 0
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def is_full(self) -> bool:
        """Return whether less than the reserve is free."""
        if not self._path:
            return False
        now = time.monotonic()
        if now - self._looked > 1:
            self._looked = now
            free, size = self._room()
            self._full = size > 0 and free < self._reserve
        return self._full
