"""An operator's file of networks, which is read again when it has changed."""

import ipaddress
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from mailkit.errors import ConfigError
from mailkit.process.report import report

#: Limits of the file: octets, networks.
LARGEST, MOST = 16 * 1024 * 1024, 200_000


class NetworkFile:
    """The networks of a file: one in CIDR form, or an address, to a line; `#` begins a comment. No path: none.

    A look-up costs at most a probe for each length of prefix, however many networks there are.
    """

    def __init__(self, path: str) -> None:
        """Read the file. Raises ConfigError if it cannot be used."""
        self._path = path
        self._known: dict[tuple[int, int], set[int]] = {}
        self._read: tuple[int, int, int] | None = None
        self._changed: list[Callable[[], None]] = []
        if path:
            try:
                self._load()
            except (OSError, ValueError) as error:
                raise ConfigError(f"POSTRIDER_GRANT_DENY_FILE: {path}: {error}") from error

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` called after each change."""
        self._changed.append(call)

    def __contains__(self, address: str) -> bool:
        ip = ipaddress.ip_address(address)
        number, width = int(ip), ip.max_prefixlen
        return any(
            number >> (width - length) in found for (kind, length), found in self._known.items() if kind == ip.version
        )

    def reload(self) -> None:
        """Read the file again if it has changed. One that cannot be used is reported, and what was read before stays in force."""
        if not self._path:
            return
        try:
            if self._stamp() == self._read:
                return
            self._load()
        except (OSError, ValueError) as error:
            report(ConfigError(f"POSTRIDER_GRANT_DENY_FILE: {error}"), "grant networks")
            return
        for call in self._changed:
            call()

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> None:
        """Read the file. Raises OSError, ValueError."""
        stamp = self._stamp()
        if stamp[1] > LARGEST:
            raise ValueError(f"it is longer than {LARGEST} octets")
        known: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        count = 0
        for n, line in enumerate(Path(self._path).read_text().splitlines(), 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            count += 1
            if count > MOST:
                raise ValueError(f"it has more than {MOST} networks")
            try:
                network = ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"line {n}: {error}") from error
            number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            known[network.version, network.prefixlen].add(number)
        self._known, self._read = dict(known), stamp
